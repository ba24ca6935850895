"""keepalived.conf(5) of devices that share addresses: VRRPv3 (RFC 5798) with a virtual MAC per address.

A failover moves no entry in any neighbour cache. A virtual MAC is an interface of its own (macvlan): a packet for the
shared address comes in there, and one that is sent leaves by the interface below, so that rules name both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNIT = "keepalived.service"
FILE = "/etc/keepalived/keepalived.conf"
UNIT_FILE = "/etc/systemd/system/keepalived.service.d/podwright.conf"
CHECK = ("keepalived", "--config-test", "--use-file")
"""The command that judges a file, whose name goes at its end."""
PROTOCOL = 112  # VRRP; numbers, for not every host has the names (https://www.iana.org/assignments/protocol-numbers)
HEADER = "# Written by podwright; a change made here does not last.\n"

# A device that comes back takes over after its ports have joined the spanning tree again. It may be short, for one that
# has lost its ports hands over by a lower priority, and the other one waits as long before it takes over.
STARTUP_DELAY_S = 5
PREEMPT_DELAY_S = 1

# keepalived 2.2.7 has a vrrp_startup_delay of its own, but adds up what it hears in the meantime to a wait of minutes,
# in which it does not even stand in for the other device (https://github.com/acassen/keepalived/issues/2098).
UNIT_TEXT = f"""{HEADER}[Service]
ExecStartPre=/bin/sleep {STARTUP_DELAY_S}
"""
"""What is written to UNIT_FILE."""

# The first of a pair has priority 150, the second 100 (docs/desired-state.md).
PRIORITY_GAP = 50

Address = dict[str, Any]
"""{interface, address, virtual_router_id, priority, advertisement_interval_ms}, and perhaps moves_alone"""


def configuration(addresses: Iterable[Address], tracked_ports: Iterable[str], followers: Sequence[str] = ()) -> str:
    """Write keepalived.conf(5): one instance per address; all but those that move alone move together.

    Args:
        addresses: What is shared.
        tracked_ports: A device that has lost all of them stands behind the other one.
        followers: Units that run where the addresses that move together are.
    """
    ordered = sorted(addresses, key=lambda item: str(item["interface"]))
    together = [str(item["interface"]) for item in ordered if not item.get("moves_alone")]
    group = _group(together, sorted(tracked_ports), followers) if together else ""
    instances = "".join(_instance(item) for item in ordered)
    return HEADER + _definitions(bool(followers)) + group + instances


def virtual_interface(interface: str) -> str:
    """Name the interface of a virtual MAC."""
    return f"vrrp-{interface}"


def interfaces(interface: str, shared: Mapping[str, Any] | Iterable[str]) -> list[str]:
    """Name the interfaces by which packets for `interface` come in, which may be one of those with a `shared` address.

    What is sent leaves by the first.
    """
    return [interface, virtual_interface(interface)] if interface in shared else [interface]


def _definitions(with_scripts: bool) -> str:
    """Write what holds for all.

    Without a router_id, keepalived asks the DNS for the host's name and waits ten seconds where there is none.
    Interfaces of Open vSwitch may come after keepalived at boot.
    """
    scripts = "    enable_script_security\n    script_user root\n" if with_scripts else ""
    return f"""global_defs {{
    router_id podwright
    vrrp_version 3
    dynamic_interfaces
{scripts}}}
"""


def _group(members: list[str], tracked_ports: list[str], followers: Sequence[str]) -> str:
    lines = "".join(f"        {member}\n" for member in members)
    notify = ""
    if followers:
        start, stop = (f'"/usr/bin/systemctl --no-block {verb} {" ".join(followers)}"' for verb in ("start", "stop"))
        states = {"master": start, "backup": stop, "fault": stop}
        notify = "".join(f"    notify_{state} {command}\n" for state, command in states.items())
    tracking = _tracking(tracked_ports)
    return f"\nvrrp_sync_group zone {{\n    group {{\n{lines}    }}\n{tracking}{notify}}}\n"


def _instance(item: Address) -> str:
    """Write one VRRP instance; the length of its address is left out, for the interface below has the route."""
    address = str(item["address"]).partition("/")[0]
    return f"""
vrrp_instance {item["interface"]} {{
    interface {item["interface"]}
    use_vmac {virtual_interface(item["interface"])}
    state BACKUP
    virtual_router_id {item["virtual_router_id"]}
    priority {item["priority"]}
    advert_int {item["advertisement_interval_ms"] / 1000:g}
    preempt_delay {PREEMPT_DELAY_S}
    virtual_ipaddress {{
        {address}/32
    }}
}}
"""


def _tracking(ports: list[str]) -> str:
    """Let a device that has lost all of `ports` stand behind the other one."""
    if not ports:
        return ""
    weight = -(PRIORITY_GAP // len(ports) + 1)
    lines = "".join(f"        {port} weight {weight}\n" for port in ports)
    return f"    track_interface {{\n{lines}    }}\n"
