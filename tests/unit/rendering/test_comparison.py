"""What a change of the declaration changes on devices, since a git revision."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from podwright.cli import app
from podwright.errors import AllocationError, InvalidInput
from podwright.plan.stage import plan_cloud
from podwright.rendering.comparison import compare
from tests.unit.plan.clouds import declare, declare_lab, declared

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", directory, *IDENTITY, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    """The lab's inventory, committed in a directory of a repository that does not keep images."""
    (tmp_path / "inventory").mkdir()
    file = declare_lab(tmp_path / "inventory")
    (tmp_path / ".gitignore").write_text("*.raw\n*.gz\nvmlinuz\nstate/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    return file


def without(cloud_file: Path, account: str) -> Path:
    declaration = declared(cloud_file)
    del declaration["accounts"][account]
    return declare(cloud_file, declaration)


def with_account(cloud_file: Path, account: str) -> Path:
    declaration = declared(cloud_file)
    declaration["accounts"][account] = declaration["accounts"]["acme"]
    return declare(cloud_file, declaration)


def test_nothing_differs_from_what_was_committed(cloud_file: Path) -> None:
    assert compare(cloud_file, "HEAD").differences == {}


def test_account_that_left_is_told_in_the_syntax_of_each_device(cloud_file: Path) -> None:
    comparison = compare(without(cloud_file, "globex"), "HEAD")
    assert comparison.fate("globex-east-router") == "removed"
    switch = comparison.differences["east-p1-sw1"]["running-config"]
    assert (
        "-            <trunk-vlans>101..103</trunk-vlans>\n+            <trunk-vlans>101..102</trunk-vlans>\n" in switch
    )
    # A trunk keeps the VLANs of the others, and nothing of theirs is told.
    assert not any(device.startswith("acme") for device in comparison.differences)
    changed = comparison.differences["east-p1-hv1"]
    assert changed["etc/libvirt/qemu/globex-web1.xml"].startswith(
        "--- HEAD:east-p1-hv1/etc/libvirt/qemu/globex-web1.xml\n+++ /dev/null\n@@ "
    )


@pytest.mark.parametrize("deployed", [False, True])
def test_account_that_came_takes_nothing_of_the_others(cloud_file: Path, deployed: bool) -> None:
    """Also one that comes first by name, and also where no lease was handed out yet."""
    if deployed:
        plan_cloud(cloud_file, preview=False)
    comparison = compare(with_account(cloud_file, "aaa"), "HEAD")
    assert comparison.fate("aaa-east-router") == "added"
    differing = {f"{device}/{path}" for device, files in comparison.differences.items() for path in files}
    assert {"east-p1-sw1/running-config", "east-p1-hv1/openvswitch.json"} <= differing
    assert not [path for path in differing if "acme-" in path or "globex-" in path]


def test_leases_of_today_hold_for_both(cloud_file: Path) -> None:
    """What came first keeps its VLAN ids, 101 to 103, and what came later has its own."""
    plan_cloud(cloud_file, preview=False)
    plan_cloud(with_account(cloud_file, "initech"), preview=False)
    differing = compare(cloud_file, "HEAD")
    assert differing.fate("initech-east-router") == "added"
    assert '+  "tag": 104,' in differing.differences["east-p1-hv1"]["openvswitch.json"]


def test_nothing_is_written(cloud_file: Path) -> None:
    compare(with_account(cloud_file, "aaa"), "HEAD")
    assert not (cloud_file.parent / "state").exists()
    plan_cloud(cloud_file, preview=False)
    before = {file: file.read_bytes() for file in sorted((cloud_file.parent / "state").rglob("*")) if file.is_file()}
    compare(cloud_file, "HEAD")
    assert before == {
        file: file.read_bytes() for file in sorted((cloud_file.parent / "state").rglob("*")) if file.is_file()
    }


def test_revision_has_its_own_cloud_d_and_keys(cloud_file: Path) -> None:
    (cloud_file.parent / "cloud.d").mkdir()
    declaration = declared(cloud_file)
    declare(cloud_file.parent / "cloud.d/globex.yml", {"accounts": {"globex": declaration["accounts"].pop("globex")}})
    declare(cloud_file, declaration)
    assert compare(cloud_file, "HEAD").differences == {}
    git(cloud_file.parent, "add", ".")
    git(cloud_file.parent, "commit", "--quiet", "--message", "Second")
    assert compare(cloud_file, "HEAD~1").differences == {}
    (cloud_file.parent / "cloud.d/globex.yml").unlink()
    assert compare(cloud_file, "HEAD").fate("globex-east-router") == "removed"
    key = cloud_file.parent / "administrator.pub"
    key.write_text(key.read_text().replace("KnownToNobody", "KnownToSomeone"))
    assert "etc/libvirt/qemu/acme-east-router.xml" in {
        path for files in compare(cloud_file, "HEAD").differences.values() for path in files
    }


def test_inventory_may_be_reached_over_a_symbolic_link(cloud_file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/mine"
    link.symlink_to(cloud_file.parent)
    assert compare(link / "cloud.yml", "HEAD").differences == {}


def test_hypervisor_that_was_not_there_may_run_machines_today(cloud_file: Path) -> None:
    declaration = declared(cloud_file)
    pod = declaration["zones"]["east"]["pods"]["p1"]
    pod["hypervisors"]["east-p1-hv3"] = pod["hypervisors"]["east-p1-hv2"] | {
        "management_address": "192.168.1.33",
        "storage_address": "192.168.101.33",
        "tunnel_address": "192.168.111.33",
    }
    declaration["zones"]["east"]["cables"] += [[f"east-p1-sw{n}:swp8", f"east-p1-hv3:eth{n}"] for n in (1, 2)]
    declaration["accounts"]["acme"]["machines"]["web1"]["hypervisor"] = "east-p1-hv3"
    plan_cloud(declare(cloud_file, declaration), preview=False)
    comparison = compare(cloud_file, "HEAD")
    assert comparison.fate("east-p1-hv3") == "added"
    assert "etc/libvirt/qemu/acme-web1.xml" in comparison.differences["east-p1-hv3"]


def refusal(cloud_file: Path, against: str) -> str:
    with pytest.raises(InvalidInput) as error:
        compare(cloud_file, against)
    return str(error.value)


def test_unknown_revision(cloud_file: Path) -> None:
    root = cloud_file.parents[1]
    assert refusal(cloud_file, "nope") == (
        f"--against: nope is not a revision of the repository {root}; name a branch, a tag or a commit of `git log`"
    )
    assert refusal(cloud_file, "--help").startswith("--against: --help is not a revision")


def test_no_repository(tmp_path: Path) -> None:
    assert "git repository around the inventory" in refusal(declare_lab(tmp_path), "HEAD")


def test_inventory_that_was_not_there(cloud_file: Path) -> None:
    git(cloud_file.parent, "mv", "cloud.yml", "cloud.yml.old")
    git(cloud_file.parent, "commit", "--quiet", "--message", "Away")
    git(cloud_file.parent, "mv", "cloud.yml.old", "cloud.yml")
    assert refusal(cloud_file, "HEAD") == (
        "--against: HEAD is not a revision that has inventory/cloud.yml; "
        "name a revision since the one that added the inventory"
    )


def test_wrong_declaration_says_of_which_revision(cloud_file: Path) -> None:
    text = cloud_file.read_text()
    cloud_file.write_text(text.replace("vcpus: 1", "vcpu: 1", 1))
    git(cloud_file.parent, "commit", "--quiet", "--all", "--message", "Wrong")
    cloud_file.write_text(text)
    assert refusal(cloud_file, "HEAD").startswith("HEAD:cloud.yml:")


def test_empty_pool_says_of_which_revision(cloud_file: Path) -> None:
    declaration = declared(cloud_file)
    declaration["zones"]["east"]["pods"]["p1"]["guest_vlans"] = ["101"]
    with pytest.raises(AllocationError, match=r"^inventory: .*guest_vlan"):
        compare(declare(cloud_file, declaration), "HEAD")


def test_command_tells_it_in_its_exit_code(cloud_file: Path) -> None:
    def podwright(*arguments: str) -> tuple[int, Any]:
        done = CliRunner().invoke(app, ["plan", "-i", str(cloud_file), "--json", *arguments])
        return done.exit_code, json.loads(done.stdout)

    assert podwright("--against", "nope")[0] == 4
    without(cloud_file, "globex")
    code, document = podwright("--against", "HEAD")
    assert (code, document["status"], document["against"]) == (2, "changed", "HEAD")
    assert document["commit"] == git(cloud_file.parent, "rev-parse", "HEAD").strip()
    assert document["devices"]["globex-east-router"]["fate"] == "removed"
