from __future__ import annotations

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import services
from ansible_collections.podwright.cloud.plugins.module_utils.services import Unit


def test_units_are_read_from_what_systemctl_shows() -> None:
    shown = (
        "Id=rpcbind.socket\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=nosuch.service\nActiveState=inactive\nUnitFileState=\n\n"
        "Id=nfs-ganesha-lock.service\nActiveState=inactive\nUnitFileState=masked\n"
    )
    units = services.parse(shown)
    assert units == {
        "rpcbind.socket": Unit("enabled", True),
        "nosuch.service": Unit("", False),
        "nfs-ganesha-lock.service": Unit("masked", False),
    }
    assert [unit.enabled for unit in units.values()] == [True, False, False]
    assert [unit.standing for unit in units.values()] == ["enabled active", "unknown inactive", "masked inactive"]


def test_a_failing_program_is_named_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match=r"^sh -c echo no >&2; exit 1: no$"):
        services.run("sh", "-c", "echo no >&2; exit 1")


def test_a_program_gets_its_input_and_gives_its_output() -> None:
    assert services.run("cat", stdin="text") == "text"
