"""Pod switches: which VLANs pass which ports, by their running configuration."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.model.cloud import PodSwitch
from podwright.model.views import Device
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Point, Wiring
from podwright.rendering.pod_switch import RUNNING_CONFIGURATION
from podwright.switches.driver import find_platform
from podwright.switches.platforms import has_vlan_table
from podwright.switches.state import ALL_VLANS

# IEEE 802.1Q-2018 8.8.2 and 9.6: the VLAN that no switch is told of.
_ALWAYS_THERE = 1


def pod_switch_wiring(device: Device, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read a pod switch; a VLAN that it does not have passes no port, if it has a table of them."""
    del ownership  # nobody is attached to a pod switch itself
    assert isinstance(device.declared, PodSwitch)
    platform, carries = device.declared.platform, device.declared.carries
    state = find_platform(platform).parse(files[RUNNING_CONFIGURATION])
    present = frozenset({_ALWAYS_THERE, *(state.vlans or ())}) if has_vlan_table(platform) else ALL_VLANS
    wiring = Wiring(carries={device.name: carries} if carries else {})
    for name, port in (state.ports or {}).items():
        for vlan in sorted(port.tagged & present):
            wiring.open_port(Point(device.name, "", vlan), device.name, name, vlan)
        if port.untagged in present:
            wiring.open_port(Point(device.name, "", port.untagged), device.name, name, None)
    return wiring
