"""What a VLAN keeps of the links that it shares with others: queues of the kernel's traffic control on the uplinks.

A hierarchy of token buckets (`tc-htb(8)`) has a class for the VLAN and one for all else, each with its own rate, and
lends what one leaves to the other. A program of the classic packet filter (`tc-bpf(8)`) tells frames apart, whether
their tag is in the frame (Open vSwitch's own datapath writes it there) or beside it (where the kernel puts one). Open
vSwitch's own queues do not do: what its own datapath sends is all in the first queue, whatever `set_queue` says.

A state is `{unit, shares}`: the text of the unit that makes the queues at boot, or None, and, live,
`{port: {vlan, guaranteed_mbit_s, link_mbit_s}}`. The handle of the queues says that they are podwright's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files, services

UNIT = "podwright-link-share.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"

HANDLE = "7077:"
"""Of the queues that are podwright's"""
_LINK, _KEPT, _OTHERS = (f"{HANDLE}{minor}" for minor in ("1", "10", "20"))

# Frames of a queue. Open vSwitch's own datapath sends all that it has through one socket: what waits in a queue takes
# the room (net.core.wmem_default, 212992 bytes, 2304 a frame) of what would go to another, and is lost to the VLAN.
_NETDEV_QUEUE = 32

_RATE = re.compile(r"class htb (\S+) .*\brate (\d+)([KMG]?)bit ceil (\d+)([KMG]?)bit")
_MBIT = {"": 1e-6, "K": 1e-3, "M": 1, "G": 1000}

State = dict[str, Any]
Share = dict[str, int]


def wanted(network: dict[str, Any]) -> State:
    """Say what a host with `network` has: queues on each of its uplinks, where its uplinks have a share."""
    uplinks = network["uplinks"] or {}
    share = uplinks.get("share")
    if not share:
        return {"unit": None, "shares": {}}
    members = sorted(uplinks["members"])
    frames = _NETDEV_QUEUE if network.get("datapath") == "netdev" and network["backend"] == "openvswitch" else None
    return {"unit": unit_text(members, share, frames), "shares": {member: dict(share) for member in members}}


def read() -> State:
    """Read the unit and, live, the queues that are podwright's."""
    ports = re.findall(rf"^qdisc htb {HANDLE} dev (\S+) root", services.run("tc", "qdisc", "show"), re.MULTILINE)
    live = {
        port: parse(services.run("tc", "class", "show", "dev", port), services.run("tc", "filter", "show", "dev", port))
        for port in sorted(ports)
    }
    return {"unit": managed_files.read([UNIT_FILE])[UNIT_FILE], "shares": live}


def parse(classes: str, filters: str) -> Share | None:
    """Read the share of a port out of what tc(8) shows of its classes and filters; None where it is not a whole one."""
    rates = {
        name: (int(rate) * _MBIT[unit], int(ceiling) * _MBIT[ceiling_unit])
        for name, rate, unit, ceiling, ceiling_unit in _RATE.findall(classes)
    }
    programs = re.findall(rf"flowid {_KEPT} .*bytecode '([^']*)'", filters)
    vlans = [int(vlan) for program in programs for vlan in re.findall(r"21 0 1 (\d+),6 0 0 4294967295", program)]
    if len(vlans) != 1 or programs != [bytecode(vlans[0])] or rates.keys() != {_LINK, _KEPT, _OTHERS}:
        return None
    share = {"vlan": vlans[0], "guaranteed_mbit_s": round(rates[_KEPT][0]), "link_mbit_s": round(rates[_LINK][0])}
    return share if rates == _rates(share) else None


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set, null where it has to go."""
    ports = sorted(current["shares"].keys() | wanted["shares"].keys())
    shares = {port: wanted["shares"].get(port) for port in ports}
    differing = {port: share for port, share in shares.items() if current["shares"].get(port) != share or share is None}
    changes: dict[str, Any] = {"shares": differing} if differing else {}
    return changes | ({"unit": wanted["unit"]} if current["unit"] != wanted["unit"] else {})


def apply(changes: dict[str, Any], wanted: State) -> None:
    """Write the unit and have it make the queues anew; without one, take away what is podwright's.

    Raises:
        RuntimeError: systemd or traffic control refused.
    """
    if not changes:
        return
    if wanted["unit"] is None and Path(UNIT_FILE).exists():
        services.run("systemctl", "disable", "--now", "--quiet", UNIT)
    managed_files.write({UNIT_FILE: wanted["unit"]})
    services.run("systemctl", "daemon-reload")
    for port in read()["shares"].keys() - wanted["shares"].keys():
        services.run("tc", "qdisc", "delete", "dev", port, "root")
    if wanted["unit"] is not None:
        services.run("systemctl", "enable", "--quiet", UNIT)
        services.run("systemctl", "restart", UNIT)


def unit_text(ports: Iterable[str], share: Share, frames: int | None) -> str:
    """Write the unit. It tries until the ports are there, and does not hold up the boot meanwhile."""
    ports = list(ports)
    gone = [f"-/sbin/tc qdisc delete dev {port} root" for port in ports]
    made = [f"/sbin/tc {command}" for port in ports for command in commands(port, share, frames)]
    service = [
        ("Type", "oneshot"),
        ("RemainAfterExit", "yes"),
        *(("ExecStartPre", command) for command in gone),
        *(("ExecStart", command) for command in made),
        *(("ExecStop", command) for command in gone),
        ("Restart", "on-failure"),
        ("RestartSec", "2s"),
    ]
    return (
        "# Written by podwright; a change made here does not last.\n"
        "[Unit]\n"
        f"Description=Keeps VLAN {share['vlan']} its share of the uplinks\n"
        "After=systemd-networkd.service openvswitch-switch.service\n"
        "StartLimitIntervalSec=0\n\n"
        "[Service]\n"
        + "".join(f"{key}={value}\n" for key, value in service)
        + "\n[Install]\nWantedBy=multi-user.target\n"
    )


def commands(port: str, share: Share, frames: int | None) -> Iterator[str]:
    """Give the arguments of tc(8) that make the queues of a port without any, of `frames` or as long as the kernel's.

    Together the rates are the link's, so that each class has its own whatever the other sends.
    """
    yield f"qdisc add dev {port} root handle {HANDLE} htb default {_OTHERS.removeprefix(HANDLE)}"
    parents = {_LINK: HANDLE, _KEPT: _LINK, _OTHERS: _LINK}
    for name, (rate, ceiling) in _rates(share).items():
        limits = f"rate {round(rate)}mbit ceil {round(ceiling)}mbit"
        yield f"class add dev {port} parent {parents[name]} classid {name} htb {limits}"
    if frames:
        yield from (f"qdisc add dev {port} parent {name} pfifo limit {frames}" for name in (_KEPT, _OTHERS))
    program = f'bpf bytecode "{bytecode(share["vlan"])}"'
    yield f"filter add dev {port} parent {HANDLE} protocol all pref 1 {program} flowid {_KEPT}"


def _rates(share: Share) -> dict[str, tuple[float, float]]:
    """{class: (what it has for itself, what it may have)} in Mbit/s."""
    link, kept = share["link_mbit_s"], share["guaranteed_mbit_s"]
    return {_LINK: (link, link), _KEPT: (kept, link), _OTHERS: (link - kept, link)}


def bytecode(vlan: int) -> str:
    """Write the program that takes the frames of a VLAN, as tc-bpf(8) has it: its length, then `code jt jf k` each.

    The opcodes are those of bpf(4); the kernel's own loads are in its linux/filter.h (SKF_AD_OFF and what follows).
    """
    program = (
        (0x30, 0, 0, 0xFFFFF030),  # A = whether there is a tag beside the frame (SKF_AD_VLAN_TAG_PRESENT)
        (0x15, 2, 0, 0),  # if not, look into the frame
        (0x20, 0, 0, 0xFFFFF02C),  # A = that tag (SKF_AD_VLAN_TAG)
        (0x05, 0, 0, 3),
        (0x28, 0, 0, 12),  # A = EtherType
        (0x15, 0, 4, 0x8100),  # IEEE 802.1Q-2018 table 9-1; a frame of another type is in no VLAN
        (0x28, 0, 0, 14),  # A = tag
        (0x54, 0, 0, 0xFFF),  # A = its VLAN id (IEEE 802.1Q-2018 9.6)
        (0x15, 0, 1, vlan),
        (0x06, 0, 0, 0xFFFFFFFF),  # to the class of the filter
        (0x06, 0, 0, 0),  # to the default one
    )
    return ",".join([str(len(program)), *(" ".join(map(str, instruction)) for instruction in program)])
