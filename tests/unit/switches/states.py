"""Any switch state there can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from podwright.switches.platforms import has_spanning_tree, platforms_with_shares
from podwright.switches.state import Port, Share, SwitchState

vlan_ids = st.integers(1, 4094)
texts = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=20)


shares = st.builds(Share, vlan_ids, st.integers(1, 9_999), st.integers(10_000, 100_000))


@st.composite
def ports(draw: st.DrawFn, with_shares: bool = False) -> Port:
    """A trunk or access port; None or some VLANs, and never an untagged one among the tagged."""
    mode = draw(st.sampled_from(["access", "trunk"]))
    untagged = draw(st.none() | vlan_ids)
    tagged = draw(st.frozensets(vlan_ids)) if mode == "trunk" else frozenset[int]()
    return Port(
        mode=mode,  # type: ignore[arg-type]  # one of the two literals
        tagged=tagged - {untagged},
        untagged=untagged,
        description=draw(texts),
        edge=draw(st.booleans()),
        path_cost=draw(st.none() | st.integers(1, 200_000_000)),
        share=draw(st.none() | shares) if with_shares else None,
    )


def switch_states(with_shares: bool = False) -> st.SearchStrategy[SwitchState]:
    """Whole states, as a device has them."""
    names = st.integers(1, 64).map("swp{}".format)
    return st.builds(
        SwitchState,
        vlans=st.dictionaries(vlan_ids, texts, max_size=8),
        ports=st.dictionaries(names, ports(with_shares), max_size=5),
        priority=st.integers(0, 15).map(lambda step: step * 4096),
    )


# What a platform cannot be in any state: it has names of its own for ports, and VLANs that are always there.
_PORT_NAMES: dict[str, Callable[[str], str]] = {
    "eos": "Ethernet{}".format,
    "ios": "GigabitEthernet1/0/{}".format,
    "nxos": "Ethernet1/{}".format,
    "sonic": "Ethernet{}".format,
}
_OWN_VLANS = {"eos": {1}, "ietf_netconf": {1}, "ios": {1, 1002, 1003, 1004, 1005}, "nxos": {1}, "sonic": {1}}


def states_of(platform: str) -> st.SearchStrategy[SwitchState]:
    """Whole states that a switch of a platform can be in."""
    return switch_states(platform in platforms_with_shares()).map(lambda state: _fitted(platform, state))


def _fitted(platform: str, state: SwitchState) -> SwitchState:
    own, name_of = _OWN_VLANS.get(platform, set()), _PORT_NAMES.get(platform, "swp{}".format)
    vlans = {vlan: name for vlan, name in (state.vlans or {}).items() if vlan not in own}
    ports = {name_of(name.removeprefix("swp")): port for name, port in (state.ports or {}).items()}
    if platform == "sonic":  # its VLAN 1 is not for ports either
        ports = {
            name: replace(port, tagged=port.tagged - {1}, untagged=None if port.untagged == 1 else port.untagged)
            for name, port in ports.items()
        }
    if not has_spanning_tree(platform):
        ports = {name: replace(port, edge=False, path_cost=None) for name, port in ports.items()}
        return SwitchState(vlans, ports)
    return replace(state, vlans=vlans, ports=ports)
