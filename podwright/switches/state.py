"""What a pod switch does with VLANs, and the difference between two such states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

from podwright.errors import PodwrightError

ALL_VLANS = frozenset(range(1, 4095))
"""Every VLAN id that there is (IEEE 802.1Q-2018 table 9-2)"""

Key = TypeVar("Key", int, str)
Value = TypeVar("Value")


class Share(NamedTuple):
    """What a VLAN keeps of what a port sends, whatever the others on it do."""

    vlan: int
    guaranteed_mbit_s: int
    link_mbit_s: int


@dataclass(frozen=True)
class Port:
    """A switched port: what passes it. With no VLAN at all it is shut."""

    mode: Literal["access", "trunk"]
    tagged: frozenset[int] = frozenset()
    untagged: int | None = None
    description: str = ""
    edge: bool = False
    path_cost: int | None = None
    """RSTP path cost; None is the device's own choice by speed (IEEE 802.1Q-2018 table 13-4)."""

    share: Share | None = None
    """of those platforms alone that can keep one (`platforms_with_shares`)"""

    @property
    def vlans(self) -> frozenset[int]:
        """All that passes, tagged or not."""
        return self.tagged if self.untagged is None else self.tagged | {self.untagged}


@dataclass(frozen=True)
class SwitchState:
    """The switching configuration of a device. In a desired state, None leaves that part alone."""

    vlans: Mapping[int, str] | None = None
    """{VLAN id: name}"""

    ports: Mapping[str, Port] | None = None
    priority: int | None = None
    """RSTP bridge priority, a multiple of 4096 (IEEE 802.1Q-2018 13.26.3); the lowest becomes root."""


@dataclass(frozen=True)
class PortForwarding:
    """What a port does in fact, as the device says."""

    tagged: frozenset[int]
    untagged: int | None
    link_up: bool
    spanning_tree: str
    """State of the port: forwarding, learning, blocking, listening or disabled (IEEE 802.1D-1998 8.4); or unknown."""


@dataclass(frozen=True)
class Change:
    """What to do to a device; None as a value removes."""

    vlans: Mapping[int, str | None] = field(default_factory=dict)
    ports: Mapping[str, Port | None] = field(default_factory=dict)
    priority: int | None = None

    def __bool__(self) -> bool:
        return bool(self.vlans or self.ports or self.priority is not None)


def difference(current: SwitchState, desired: SwitchState) -> Change:
    """The least change that makes `current` into `desired`."""
    return Change(
        vlans=_differing(current.vlans, desired.vlans),
        ports=_differing(current.ports, desired.ports),
        priority=None if desired.priority == current.priority else desired.priority,
    )


def applied(change: Change, state: SwitchState) -> SwitchState:
    """What a change makes of a state."""
    return SwitchState(
        vlans=_merged(state.vlans, change.vlans),
        ports=_merged(state.ports, change.ports),
        priority=state.priority if change.priority is None else change.priority,
    )


def _differing(current: Mapping[Key, Value] | None, desired: Mapping[Key, Value] | None) -> dict[Key, Value | None]:
    if desired is None:
        return {}
    current = current or {}
    keys = sorted(current.keys() | desired.keys())
    return {key: desired.get(key) for key in keys if current.get(key) != desired.get(key)}


def _merged(state: Mapping[Key, Value] | None, change: Mapping[Key, Value | None]) -> dict[Key, Value]:
    merged = {**(state or {}), **change}
    return {key: value for key, value in sorted(merged.items()) if value is not None}


def astray(configured: SwitchState, forwarding: Mapping[str, PortForwarding]) -> dict[str, str]:
    """How ports do other than they are configured to: {port: what it carries and what it should}.

    A VLAN that the device does not have passes no port.
    """
    present = frozenset(configured.vlans or ())
    expected = {name: (port.tagged & present, present & {port.untagged}) for name, port in _ports(configured).items()}
    actual = {name: (port.tagged, frozenset({port.untagged} - {None})) for name, port in forwarding.items()}
    nothing = (frozenset[int](), frozenset[int]())
    return {
        name: f"carries {_carriage(*actual.get(name, nothing))} instead of {_carriage(*expected.get(name, nothing))}"
        for name in sorted(expected.keys() | actual.keys())
        if actual.get(name, nothing) != expected.get(name, nothing)
    }


def _ports(state: SwitchState) -> Mapping[str, Port]:
    return state.ports or {}


def _carriage(tagged: frozenset[int], untagged: frozenset[int | None]) -> str:
    return ", ".join([*range_texts(tagged, "-"), *(f"{vlan} untagged" for vlan in untagged)]) or "nothing"


def from_data(switch: Mapping[str, Any]) -> SwitchState:
    """The state that a `switch:` mapping declares (docs/desired-state.md, pod_switch).

    Raises:
        PodwrightError: an access port with tagged VLANs, which no switch has.
    """
    vlans, ports = switch.get("vlans"), switch.get("ports")
    return SwitchState(
        vlans=None if vlans is None else {int(vlan): str(name) for vlan, name in vlans.items()},
        ports=None if ports is None else {str(name): _port_from_data(name, port) for name, port in ports.items()},
        priority=_number((switch.get("spanning_tree") or {}).get("priority")),
    )


def _port_from_data(name: str, port: Mapping[str, Any]) -> Port:
    tagged, untagged = frozenset(map(int, port.get("tagged") or ())), _number(port.get("untagged"))
    if port["mode"] == "access" and tagged:
        raise PodwrightError(
            f"ports.{name}: tagged VLANs {sorted(tagged)} on an access port, which has none; make its mode trunk"
        )
    return Port(
        mode="access" if port["mode"] == "access" else "trunk",
        tagged=tagged - {untagged},
        untagged=untagged,
        description=str(port.get("description") or ""),
        edge=bool(port.get("edge")),
        path_cost=_number(port.get("path_cost")),
        share=Share(**{key: int(value) for key, value in port["share"].items()}) if port.get("share") else None,
    )


def _number(value: Any) -> int | None:
    """A plain number: Ansible's are of a type of their own."""
    return None if value is None else int(value)


def as_data(state: SwitchState) -> dict[str, Any]:
    """The `switch:` mapping of a state: plain and sorted; parts that the state leaves alone are left out."""
    data: dict[str, Any] = {}
    if state.priority is not None:
        data["spanning_tree"] = {"priority": state.priority}
    if state.vlans is not None:
        data["vlans"] = dict(sorted(state.vlans.items()))
    if state.ports is not None:
        data["ports"] = {name: _port_as_data(port) for name, port in sorted(state.ports.items())}
    return data


def _port_as_data(port: Port) -> dict[str, Any]:
    share = {"share": port.share._asdict()} if port.share else {}
    return {
        "description": port.description,
        "mode": port.mode,
        "tagged": sorted(port.tagged),
        "untagged": port.untagged,
        "edge": port.edge,
        "path_cost": port.path_cost,
        **share,
    }


def forwarding_as_data(ports: Mapping[str, PortForwarding]) -> dict[str, Any]:
    """What ports do in fact, plain and sorted."""
    return {
        name: {
            "tagged": sorted(port.tagged),
            "untagged": port.untagged,
            "link_up": port.link_up,
            "spanning_tree": port.spanning_tree,
        }
        for name, port in sorted(ports.items())
    }


def ranges(vlans: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of adjacent VLAN ids as (first, last), ascending."""
    result: list[tuple[int, int]] = []
    for vlan in sorted(vlans):
        if result and vlan == result[-1][1] + 1:
            result[-1] = (result[-1][0], vlan)
        else:
            result.append((vlan, vlan))
    return result


def range_texts(vlans: Iterable[int], dash: str) -> Sequence[str]:
    """Runs of adjacent VLAN ids, ascending, as `first`, `dash` and `last`; a run of one is its id."""
    return _range_texts(frozenset(vlans), dash)


def range_ids(text: str, dash: str) -> range:
    """The VLAN ids of one of `range_texts`.

    Raises:
        ValueError: it is none.
    """
    first, dashed, last = text.partition(dash)
    return range(int(first), int(last if dashed else first) + 1)


@lru_cache(1 << 12)  # both switches of a pair, and both ends of a cable, carry the same
def _range_texts(vlans: frozenset[int], dash: str) -> tuple[str, ...]:
    return tuple(str(first) if first == last else f"{first}{dash}{last}" for first, last in ranges(vlans))
