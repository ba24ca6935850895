from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain, machine_starter
from ansible_collections.podwright.cloud.plugins.module_utils.machine_starter import Seen, still_waiting

OFF = Seen(autostart=True, running=False, switched_off=False)
RUNS = OFF._replace(running=True)
SWITCHED_OFF = OFF._replace(switched_off=True)
STAYS_OFF = OFF._replace(autostart=False)


def test_after_a_boot_every_machine_waits_that_should_run_and_never_did() -> None:
    seen = {"d": OFF, "c": RUNS, "b": SWITCHED_OFF, "a": STAYS_OFF}
    assert still_waiting(None, seen) == ["d"]


@pytest.mark.parametrize("now", [RUNS, SWITCHED_OFF, STAYS_OFF])
def test_a_machine_that_is_done_with_never_waits_again(now: Seen) -> None:
    waiting = still_waiting(None, {"a": OFF, "b": OFF})
    waiting = still_waiting(waiting, {"a": now, "b": OFF})
    assert waiting == ["b"]
    assert still_waiting(waiting, {"a": OFF, "b": OFF}) == ["b"]


def test_a_machine_that_came_or_went_later_does_not_wait() -> None:
    assert still_waiting(["a", "gone"], {"a": OFF, "new": OFF}) == ["a"]


class Libvirt:
    """A libvirt with domains whose first starts fail, each as often as it says."""

    VIR_DOMAIN_METADATA_ELEMENT, VIR_ERR_NO_DOMAIN_METADATA, VIR_ERR_NO_DOMAIN = 2, 80, 42
    VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED, VIR_DOMAIN_SHUTOFF = 1, 3, 5
    VIR_DOMAIN_SHUTOFF_UNKNOWN, VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_SHUTOFF_FAILED = 0, 1, 6
    VIR_DOMAIN_PAUSED_STARTING_UP = 11

    class libvirtError(Exception):  # noqa: N801  (libvirt's own names)
        def get_error_code(self) -> int:
            return Libvirt.VIR_ERR_NO_DOMAIN_METADATA

    def __init__(self, *domains: Domain) -> None:
        self.connection = SimpleNamespace(listAllDomains=lambda: domains, close=lambda: None)

    def registerErrorHandler(self, *_: Any) -> None:  # noqa: N802
        pass

    def open(self, uri: str) -> Any:
        assert uri == "qemu:///system"
        return self.connection


class Domain:
    def __init__(self, name: str, failures: int, namespace: str = machine_starter.NAMESPACE) -> None:
        self._name, self.failures, self._namespace = name, failures, namespace
        self.states = (Libvirt.VIR_DOMAIN_SHUTOFF, Libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN)

    def name(self) -> str:
        return self._name

    def UUIDString(self) -> str:  # noqa: N802
        return f"uuid of {self._name}".replace(" ", "-")

    def autostart(self) -> int:
        return 1

    def state(self) -> tuple[int, int]:
        return self.states

    def metadata(self, _: int, namespace: str) -> str:
        if namespace != self._namespace:
            raise Libvirt.libvirtError("metadata not found")
        return "<machine/>"

    def create(self) -> None:
        if self.failures:
            self.failures -= 1
            self.states = (Libvirt.VIR_DOMAIN_SHUTOFF, Libvirt.VIR_DOMAIN_SHUTOFF_FAILED)
            raise Libvirt.libvirtError("Failed to mount nfs share")
        self.states = (Libvirt.VIR_DOMAIN_RUNNING, 1)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The pauses that the program made instead of sleeping."""
    made: list[float] = []
    monkeypatch.setattr(machine_starter, "DIRECTORY", tmp_path / "podwright")
    monkeypatch.setattr(machine_starter.time, "sleep", made.append)
    return made


def run(monkeypatch: pytest.MonkeyPatch, *domains: Domain) -> None:
    monkeypatch.setitem(machine_starter.sys.modules, "libvirt", Libvirt(*domains))  # type: ignore[arg-type]
    machine_starter.main()


def test_it_goes_on_until_all_run(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, Domain("web2", 2), Domain("web1", 0), Domain("mail", 0, "urn:example"))
    assert pauses == [5, 5]
    assert capsys.readouterr().err.splitlines() == [
        "web1: started",
        "off, and tried again every 5 s: web2; libvirt's journal says why",
        "web2: started",
        "every machine that starts with this host has come back, or was switched off since",
    ]


def test_it_starts_no_foreign_domain(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    foreign = Domain("mail", 0, "urn:example")
    run(monkeypatch, foreign)
    assert foreign.states[0] == Libvirt.VIR_DOMAIN_SHUTOFF
    assert pauses == []


def test_started_again_in_the_same_boot_it_knows_who_ran(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    domain = Domain("web1", 0)
    run(monkeypatch, domain)
    # Switched off by hand; then libvirt started anew, and has forgotten why it is off.
    domain.states = (Libvirt.VIR_DOMAIN_SHUTOFF, Libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN)
    run(monkeypatch, domain)
    assert domain.states[0] == Libvirt.VIR_DOMAIN_SHUTOFF
    assert pauses == []


def test_a_machine_that_libvirt_is_trying_to_start_still_waits(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    domain = Domain("web1", 1)
    domain.states = (Libvirt.VIR_DOMAIN_PAUSED, Libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
    run(monkeypatch, domain)
    assert domain.states[0] == Libvirt.VIR_DOMAIN_RUNNING
    assert pauses == [5]


def test_the_mark_is_that_of_podwrights_domains() -> None:
    xml = f"<domain><metadata><m:machine xmlns:m='{machine_starter.NAMESPACE}' role='machine'/></metadata></domain>"
    assert libvirt_domain.mark(xml) == {"role": "machine"}
