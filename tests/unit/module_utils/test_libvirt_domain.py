from __future__ import annotations

import xml.etree.ElementTree as ET
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain

CASES = Path(__file__).parents[2] / "cases" / "domains"
MACHINES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CASES / "machines").glob("*.yml"))}


@pytest.mark.parametrize("name", MACHINES)
def test_domain_of_a_machine(name: str) -> None:
    assert written(name) == (CASES / "golden" / f"{name}.xml").read_text()


@pytest.mark.parametrize("name", MACHINES)
def test_a_domain_reads_back_as_the_machine_that_it_was_written_from(name: str) -> None:
    assert libvirt_domain.parse_domain(written(name)) == MACHINES[name]["machine"]


@pytest.mark.parametrize("path", sorted((CASES / "recorded").glob("*.xml")), ids=lambda path: path.stem)
def test_what_libvirt_made_of_a_domain_reads_back_as_the_machine(path: Path) -> None:
    assert libvirt_domain.parse_domain(path.read_text()) == MACHINES[path.stem]["machine"]


def test_the_mark_survives_libvirt() -> None:
    mark = libvirt_domain.mark((CASES / "recorded" / "machine.xml").read_text())
    assert mark is not None
    assert (mark["account"], mark["role"]) == ("acme", "machine")
    assert len(mark["digest"]) == 16


@pytest.mark.parametrize("path", sorted((CASES / "recorded").glob("*.xml")), ids=lambda path: path.stem)
def test_nics_alone_are_left_of_a_domain(path: Path) -> None:
    before, alone = (ET.XML(text) for text in (path.read_text(), libvirt_domain.nics_alone(path.read_text())))
    assert alone.findtext("name") == before.findtext("name")
    assert {child.tag for child in [*alone, *alone.iterfind("devices/*")]} == {"name", "devices", "interface"}
    assert nics_of(alone) == nics_of(before) != []


def nics_of(domain: ET.Element) -> list[str]:
    nics = domain.iterfind("devices/interface")
    return [ET.canonicalize(ET.tostring(nic, encoding="unicode"), strip_text=True) for nic in nics]


def test_a_domain_without_mark_is_foreign() -> None:
    assert libvirt_domain.mark("<domain type='kvm'><name>mail</name><metadata/></domain>") is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("machine", "memory_mib"), 4096),
        (("machine", "vcpus"), 2),
        (("machine", "boot", "command_line"), "console=ttyS0"),
        (("machine", "nics", 0, "bridge"), "guest150"),
        (("machine", "disks", 0, "path"), "/srv/primary/other.raw"),
        (("machine", "credentials", "hostname"), "other"),
        (("boot_files", "kernel"), "another-digest"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_needs_a_restart_changes_the_digest(path: tuple[str | int, ...], value: Any) -> None:
    assert digest(changed("routing-appliance", path, value)) != digest(MACHINES["routing-appliance"])


@pytest.mark.parametrize("path", [("machine", "disks", 0, "iops"), ("machine", "nics", 0, "rate_mbit_s")])
def test_what_changes_while_a_machine_runs_leaves_the_digest(path: tuple[str | int, ...]) -> None:
    assert digest(changed("machine", path, 7)) == digest(MACHINES["machine"])


@pytest.mark.parametrize(("mbit_s", "average"), [(1, 125), (100, 12500), (10000, 1250000)])
def test_rate_in_kilobytes(mbit_s: int, average: int) -> None:
    # formatnetwork, "Quality of service": average and peak in kilobytes a second, burst in kilobytes
    assert libvirt_domain.rate(mbit_s) == {"average": average, "peak": average, "burst": average // 10}


def written(name: str) -> str:
    case = MACHINES[name]
    domain = ET.fromstring(libvirt_domain.domain_xml(name, case["machine"], case["boot_files"]))  # noqa: S314  (ours)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode") + "\n"


def digest(case: dict[str, Any]) -> str:
    return libvirt_domain.digest("name", case["machine"], case["boot_files"])


def changed(name: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    case: dict[str, Any] = deepcopy(MACHINES[name])
    inner: Any = case
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return case


if __name__ == "__main__":
    for machine in MACHINES:
        (CASES / "golden" / f"{machine}.xml").write_text(written(machine))
