from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.errors import LabError
from podwright.lab import requirements


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program but those that a test puts into the directory."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(requirements, "_ADMINISTRATORS_PROGRAMS", str(tmp_path))
    return tmp_path


def test_missing_names_the_packages_of_programs_that_are_not_there(bare_machine: Path) -> None:
    for program in ("ip", "ssh", "nsenter", "mke2fs"):
        (bare_machine / program).touch(mode=0o755)
    assert requirements.missing() == ["ethtool", "iputils-ping", "mmdebstrap", "systemd-container"]


def test_check_says_what_to_install(bare_machine: Path) -> None:
    if os.geteuid() != 0:
        expected = "a lab makes namespaces and mounts: run this as root"
    else:
        expected = (
            "this machine lacks programs that a lab needs; run: apt-get install"
            " e2fsprogs ethtool iproute2 iputils-ping mmdebstrap openssh-client systemd-container util-linux"
        )
    with pytest.raises(LabError) as error:
        requirements.check()
    assert str(error.value) == expected
