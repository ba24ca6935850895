"""What a host does with the announcements by which Open vSwitch moves its uplinks from one switch to the other.

When another uplink becomes the active one, Open vSwitch sends a Reverse ARP request (RFC 903) through it in the name of
each address that it knows behind its other ports, so that switches learn the new way. Those behind a tunnel are among
them. A second hypervisor, which has a tunnel of its own to them, would then look for them behind its uplinks, where
nobody is, until they speak again: seconds in which its machines do not reach them. So a hypervisor with tunnels drops
what is announced to it. It loses nothing by that: whatever moves from one of its neighbours to another stays behind the
same uplinks.

A state is `{unit, flow}`: the text of the unit that sets the flow at boot, or None, and whether the flow is there.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.uplinks import BRIDGE

UNIT = "podwright-bond-announcements.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"

# Only frames of the uplinks have a tag when they come in; those of machines and tunnels get theirs from their port
# (ovs-fields(7), vlan_tci). The cookie says that the flow is podwright's.
COOKIE = "0x7077"
MATCH = "priority=1000,rarp,vlan_tci=0x1000/0x1000"

_UNIT_TEXT = f"""# Written by podwright; a change made here does not last.
[Unit]
Description=Drops what other hosts announce when their uplinks change
After=openvswitch-switch.service
PartOf=openvswitch-switch.service ovs-vswitchd.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ovs-ofctl add-flow {BRIDGE} cookie={COOKIE},{MATCH},actions=drop
ExecStop=-/usr/bin/ovs-ofctl del-flows {BRIDGE} cookie={COOKIE}/-1
Restart=on-failure
RestartSec=2s

[Install]
WantedBy=multi-user.target
"""

State = dict[str, Any]

NOTHING: State = {"unit": None, "flow": False}


def wanted(network: dict[str, Any]) -> State:
    """Say what a host with `network` has: the flow, where Open vSwitch has both uplinks and tunnels."""
    tunnels = any("tunnel" in segment for segment in network["segments"].values())
    if network["backend"] == "openvswitch" and network["uplinks"] and tunnels:
        return {"unit": _UNIT_TEXT, "flow": True}
    return {"unit": None}


def read() -> State:
    """Read the unit, and whether the bridge is there and has the flow."""
    try:
        flows = services.run("ovs-ofctl", "dump-flows", BRIDGE, f"cookie={COOKIE}/-1")
    except RuntimeError:  # no bridge, or nothing that forwards for it
        flows = ""
    return {"unit": managed_files.read([UNIT_FILE])[UNIT_FILE], "flow": "actions=drop" in flows}


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set, null where it has to go."""
    return {key: value for key, value in wanted.items() if current[key] != value}


def apply(changes: dict[str, Any]) -> None:
    """Write the unit, which sets the flow, and start it anew; or take it away, and the flow with it.

    Raises:
        RuntimeError: systemd or Open vSwitch refused.
    """
    if not changes:
        return
    if "unit" in changes:
        if changes["unit"] is None:
            services.run("systemctl", "disable", "--now", "--quiet", UNIT)
        managed_files.write({UNIT_FILE: changes["unit"]})
        services.run("systemctl", "daemon-reload")
    if changes.get("unit") or changes.get("flow"):
        services.run("systemctl", "enable", "--quiet", UNIT)
        services.run("systemctl", "restart", UNIT)
