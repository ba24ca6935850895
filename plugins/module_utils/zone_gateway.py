"""The L3 side of a zone switch: virtual addresses by keepalived, forwarding rules by nftables, routes by FRR.

Every file is podwright's as a whole.

What is wanted and what is seen are one flat mapping each; the keys whose texts differ are the change, and `actions`
says what they take.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, collapse_addresses, summarize_address_range
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    change_marker,
    managed_files,
    ospf,
    packet_filter,
    rollback,
    services,
    virtual_routers,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State
from ansible_collections.podwright.cloud.plugins.module_utils.transaction import WayBack, carry_out

KEEPALIVED_UNIT = virtual_routers.UNIT
RULES_UNIT = "podwright-zone-gateway.service"
KEEPALIVED_FILE = virtual_routers.FILE
RULES_FILE = "/etc/podwright/zone-gateway.nft"
UNIT_FILE = f"/etc/systemd/system/{RULES_UNIT}"
SYSCTL_FILE = "/etc/sysctl.d/50-podwright-zone-gateway.conf"
TABLE = "podwright_zone"
ICMP = 1  # protocol numbers, for not every host has the names (https://www.iana.org/assignments/protocol-numbers)
HEADER = virtual_routers.HEADER

Gateway = dict[str, Any]

_PART = "zone-gateway"


def desired(gateway: Gateway) -> State:
    """Work out all that should be seen on a zone switch with `gateway`."""
    table = rules(gateway)
    return {
        KEEPALIVED_FILE: keepalived(gateway),
        # Declared, deleted and declared again: the kernel swaps the table in one transaction (nft(8), -f).
        RULES_FILE: f"{HEADER}table inet {TABLE}\ndelete table inet {TABLE}\n{table}",
        UNIT_FILE: _RULES_UNIT_TEXT,
        virtual_routers.UNIT_FILE: virtual_routers.UNIT_TEXT,
        SYSCTL_FILE: f"{HEADER}net.ipv4.ip_forward = 1\n",
        f"unit {KEEPALIVED_UNIT}": "enabled active",
        f"unit {RULES_UNIT}": "enabled active",
        "loaded rules": table,
        "ip_forward": "1",
        **ospf.desired(gateway["routing"]),
        change_marker.INTERRUPTED: None,
        rollback.UNCONFIRMED: None,
    }


def read(gateway: Gateway, key: str | None) -> State:
    """Read the files, units, loaded rules, the forwarding switch and FRR of this host; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    units = services.read([KEEPALIVED_UNIT, RULES_UNIT])
    marker = change_marker.read(_PART)
    return {
        **managed_files.read([KEEPALIVED_FILE, virtual_routers.UNIT_FILE, RULES_FILE, UNIT_FILE, SYSCTL_FILE]),
        **{f"unit {name}": unit.standing for name, unit in units.items()},
        "loaded rules": packet_filter.loaded(TABLE),
        "ip_forward": packet_filter.forwards(),
        **ospf.read(gateway["routing"], key, was_told=marker[change_marker.INTERRUPTED] is None),
        **marker,
        **rollback.read(),
    }


def actions(changed: Iterable[str]) -> list[str]:
    """Say what changes of these keys take, once the files are written, in the order to do it.

    Rules stand before packets are forwarded and before addresses are announced.
    """
    keys = set(changed)
    if change_marker.INTERRUPTED in keys:  # a run ended between writing and doing: nothing is known to be in force
        keys |= {UNIT_FILE, RULES_FILE, KEEPALIVED_FILE}
    causes = {
        "reload units": {UNIT_FILE, virtual_routers.UNIT_FILE, ospf.UNIT_FILE},
        "load rules": {RULES_FILE, "loaded rules"},
        "forward packets": {"ip_forward"},
        "reload keepalived": {KEEPALIVED_FILE},
        "start units": {f"unit {KEEPALIVED_UNIT}", f"unit {RULES_UNIT}"},
    }
    return [*(step for step, keys_of_step in causes.items() if keys_of_step & keys), *ospf.actions(keys)]


def apply(gateway: Gateway, key: str | None, differences: Differences, rollback_after_s: int) -> bool:
    """Make the changes; run again after a crash, it does what the crash left out.

    Returns:
        Whether the routes are taken back in `rollback_after_s` unless `rollback.CONFIRM` is run.

    Raises:
        RuntimeError: A program refuses its new file, and nothing was changed; or one failed.
    """
    _validate(differences)
    steps = actions(differences)
    way_back = WayBack((*_IN_FORCE, *ospf.IN_FORCE), rollback_after_s) if ospf.actions(set(differences)) else None
    return carry_out(
        _PART,
        differences,
        steps,
        lambda step: _take(step, gateway, key),
        way_back,
        written_by_steps=ospf.WRITTEN_BY_STEPS,
    )


def keepalived(gateway: Gateway) -> str:
    """Write keepalived.conf(5) of the zone switch."""
    return virtual_routers.configuration(
        gateway["virtual_addresses"], gateway["tracked_ports"], told=ospf.told(gateway["routing"])
    )


def rules(gateway: Gateway) -> str:
    """Write the table as `nft list table` prints it, so that file and kernel compare as text."""
    virtual = {item["interface"]: item["address"] for item in gateway["virtual_addresses"]}
    pairs = sorted((pair["from"], pair["to"]) for pair in gateway["forwarding"])
    customers = sorted({interface for pair in pairs for interface in pair})
    reached = {name: {name, *(to for source, to in pairs if source == name)} & virtual.keys() for name in customers}
    networks = {name: [IPv4Interface(virtual[to]).network for to in those] for name, those in reached.items()}
    own = [
        *_routing_rules(gateway["routing"], virtual),
        *(rule for name in customers for rule in _own_rules(_either(name, virtual), _intervals(networks[name]))),
    ]
    crossing = [f"iifname {_either(source, virtual)} oifname {_either(to, virtual)} accept" for source, to in pairs]
    chains = [
        _chain("input", "accept", own),
        _chain("forward", "drop", ["ct state established,related accept", *crossing]),
    ]
    return f"table inet {TABLE} {{\n" + "\n".join(chains) + "}\n"


_RULES_UNIT_TEXT = f"""{HEADER}[Unit]
Description=Forwarding rules of the zone
Wants=network-pre.target
Before=network-pre.target {KEEPALIVED_UNIT}
After=nftables.service
PartOf=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {RULES_FILE}
ExecReload=/usr/sbin/nft --file {RULES_FILE}

[Install]
WantedBy=multi-user.target
"""


def _intervals(networks: list[IPv4Network]) -> list[str]:
    """Write networks as nft prints the elements of a set: what adjoins is one prefix, or a range if no prefix fits."""
    result: list[tuple[IPv4Address, IPv4Address]] = []
    for network in collapse_addresses(networks):
        first, last = network[0], network[-1]
        if result and result[-1][1] + 1 == first:
            first = result.pop()[0]
        result.append((first, last))
    return [_interval(first, last) for first, last in result]


def _interval(first: IPv4Address, last: IPv4Address) -> str:
    prefixes = list(summarize_address_range(first, last))
    return str(prefixes[0]) if len(prefixes) == 1 else f"{first}-{last}"


def _own_rules(interface: str, networks: list[str]) -> list[str]:
    """Let packets reach of the switch itself VRRP and ping, at addresses in the `networks` that they may go to."""
    ping = [f"iifname {interface} ip daddr {_set(networks)} meta l4proto {ICMP} accept"] if networks else []
    return [
        f"iifname {interface} ct state established,related accept",
        f"iifname {interface} meta l4proto {virtual_routers.PROTOCOL} accept",
        *ping,
        f"iifname {interface} drop",
    ]


def _routing_rules(routing: ospf.Routing | None, virtual: dict[str, str]) -> list[str]:
    if routing is None:
        return []
    return [f"iifname {_either(routing['interface'], virtual)} {match} accept" for match in ospf.packets(routing)]


def _chain(hook: str, policy: str, lines: list[str]) -> str:
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter; policy {policy};\n{body}\t}}\n"


def _either(interface: str, virtual: dict[str, str]) -> str:
    return _set([f'"{name}"' for name in virtual_routers.interfaces(interface, virtual)])


def _set(members: list[str]) -> str:
    return members[0] if len(members) == 1 else f"{{ {', '.join(members)} }}"


def _validate(differences: Differences) -> None:
    """Let the programs judge their new files before these take the place of the old ones.

    Raises:
        RuntimeError: One of them refuses; the text is what it said.
    """
    checks = {KEEPALIVED_FILE: virtual_routers.CHECK, RULES_FILE: ("nft", "--check", "--file")}
    with tempfile.TemporaryDirectory(prefix="podwright-") as directory:
        for path, command in checks.items():
            if path in differences:
                candidate = Path(directory) / Path(path).name
                candidate.write_text(differences[path][1] or "", encoding="utf-8")
                services.run(*command, str(candidate))
    ospf.check(differences)


def _take(step: str, gateway: Gateway, key: str | None) -> None:
    if step in ospf.STEPS:
        ospf.take(step, gateway["routing"], key)
    elif step == "forward packets":
        packet_filter.FORWARDING_SWITCH.write_text("1\n", encoding="ascii")
    else:
        services.run(*_COMMANDS[step])


# How files that were put back come into force.
_IN_FORCE = (
    f"nft --file {RULES_FILE}",
    "systemctl daemon-reload",
    f"systemctl try-reload-or-restart {KEEPALIVED_UNIT}",
)

_COMMANDS = {
    "reload units": ("systemctl", "daemon-reload"),
    "load rules": ("nft", "--file", RULES_FILE),
    # Does nothing to a keepalived that is not running; starting it comes next.
    "reload keepalived": ("systemctl", "try-reload-or-restart", KEEPALIVED_UNIT),
    "start units": ("systemctl", "enable", "--quiet", "--now", KEEPALIVED_UNIT, RULES_UNIT),
}
