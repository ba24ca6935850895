"""Any state that a switch with a command line can be in: its ports have its names, and its VLANs are free to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from podwright.switches.platforms import eos, ios, nxos
from podwright.switches.running_config import Dialect
from podwright.switches.state import SwitchState

from ..states import switch_states

DIALECTS: dict[str, Dialect] = {"eos": eos.DIALECT, "ios": ios.DIALECT, "nxos": nxos.DIALECT}
_NAMES: dict[str, Callable[[str], str]] = {
    "eos": "Ethernet{}".format,
    "ios": "GigabitEthernet1/0/{}".format,
    "nxos": "Ethernet1/{}".format,
}


def states_of(platform: str) -> st.SearchStrategy[SwitchState]:
    return switch_states().map(lambda state: _fitted(platform, state))


def _fitted(platform: str, state: SwitchState) -> SwitchState:
    reserved = DIALECTS[platform].reserved_vlans
    vlans = {vlan: name for vlan, name in (state.vlans or {}).items() if vlan not in reserved}
    ports = {_NAMES[platform](name.removeprefix("swp")): port for name, port in (state.ports or {}).items()}
    return replace(state, vlans=vlans, ports=ports)
