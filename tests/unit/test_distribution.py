"""One tree serves as checkout, wheel and collection, and every part of it explains itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

PLUGINS = {
    "module": ROOT / "library",
    "lookup": ROOT / "plugins/lookup",
    "inventory": ROOT / "plugins/inventory",
}


def _run(*argv: str | Path, cwd: Path = ROOT) -> str:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", [*PLUGINS, "filter", "role"])
def test_ansible_doc_shows_all_of(kind: str):
    if kind == "role":
        names = {file.parents[1].name for file in ROOT.glob("roles/*/tasks/main.yml")}
    elif kind == "filter":
        names = {file.stem for file in ROOT.glob("filter_plugins/*.yml")}
    else:
        names = {file.stem for file in PLUGINS[kind].glob("*.py")}
    names = {f"podwright.cloud.{name}" for name in names}
    shown = json.loads(_run("ansible-doc", "-t", kind, "--json", *sorted(names)))
    assert set(shown) == names
    for documented in shown.values():
        described = documented.get("doc", documented.get("entry_points", {}).get("main"))
        assert described["short_description"]


def test_every_action_has_its_documentation():
    actions = {file.name for file in (ROOT / "plugins/action").glob("*.py")}
    assert actions <= {file.name for file in (ROOT / "library").glob("*.py")}


def test_wheel_carries_the_collection(tmp_path: Path):
    _run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = "ansible_collections/podwright/cloud"
    assert {
        "podwright/cli.py",
        f"{inside}/ansible.cfg",
        f"{inside}/plugins/modules/machines.py",
        f"{inside}/plugins/filter/observation.py",
        f"{inside}/plugins/module_utils/libvirt_domain.py",
        f"{inside}/roles/zone_switch/tasks/main.yml",
        f"{inside}/playbooks/site.yml",
    } <= names
    assert not {name for name in names if name.startswith(("tests/", "molecule/"))}


def test_installed_wheel_plans_a_cloud(tmp_path: Path):
    """Away from the checkout, with nothing of it on any path."""
    _run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "home"
    venv.create(home, with_pip=False, system_site_packages=False)
    packages = next(home.glob("lib/python*/site-packages"))
    # What podwright needs is taken from here; podwright itself comes from the wheel, which is searched first.
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "needs.pth").write_text(f"{next(BIN.parent.glob('lib/python*/site-packages'))}\n")
    for program in ("ansible-playbook", "ansible"):
        script = home / "bin" / program
        script.write_text(f"#!{home}/bin/python\nfrom ansible.cli.{_module(program)} import main\nmain()\n")
        script.chmod(0o755)
    inventory = tmp_path / "cloud"
    subprocess.run(["cp", "-r", ROOT / "inventories/example", inventory], check=True)
    command = [home / "bin/python", "-c", "from podwright.cli import main; main()"]
    done = subprocess.run(
        [*command, "plan", "--json", "-i", inventory], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["plan"]["devices"] > 20
    assert document["rendered"]["devices"] == document["plan"]["devices"]


def _module(program: str) -> str:
    return "playbook" if program == "ansible-playbook" else "adhoc"


def test_collection_builds(tmp_path: Path):
    _run("ansible-galaxy", "collection", "build", "--output-path", tmp_path)
    (archive,) = tmp_path.glob("podwright-cloud-*.tar.gz")
    names = _run("tar", "--list", "--file", archive).split()
    assert {"plugins/action/plan.py", "roles/pod_switch/tasks/main.yml", "playbooks/site.yml"} <= set(names)
    assert not [name for name in names if name.startswith((".venv", ".cache", "tests", "collections"))]
