"""The L3 side of a zone switch: virtual addresses by keepalived, forwarding rules by nftables.

Every file is podwright's as a whole. keepalived runs VRRPv3 (RFC 5798) with a
virtual MAC per address, so that a failover moves no entry in any neighbour cache.
A virtual MAC is an interface of its own (macvlan): a packet for the gateway comes in
there, and one that is sent leaves by the interface below; the rules name both.

What is wanted and what is seen are one flat mapping each; the keys whose texts differ are the change, and `actions`
says what they take.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, collapse_addresses, summarize_address_range
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State, file_texts

KEEPALIVED_UNIT = "keepalived.service"
RULES_UNIT = "podwright-zone-gateway.service"
KEEPALIVED_FILE = "/etc/keepalived/keepalived.conf"
RULES_FILE = "/etc/podwright/zone-gateway.nft"
UNIT_FILE = f"/etc/systemd/system/{RULES_UNIT}"
SYSCTL_FILE = "/etc/sysctl.d/50-podwright-zone-gateway.conf"
FORWARDING_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
TABLE = "podwright_zone"
ICMP = 1  # protocol numbers, for not every host has the names (https://www.iana.org/assignments/protocol-numbers)
VRRP = 112
HEADER = "# Written by podwright; a change made here does not last.\n"

# A switch that comes back takes over after its ports have joined the spanning tree again. It may be short, for a switch
# that has lost its pods hands over by a lower priority, and the other one waits as long before it takes over.
STARTUP_DELAY_S = 5
PREEMPT_DELAY_S = 1

# The first zone switch has priority 150, the second 100 (docs/desired-state.md).
PRIORITY_GAP = 50

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
        SYSCTL_FILE: f"{HEADER}net.ipv4.ip_forward = 1\n",
        f"unit {KEEPALIVED_UNIT}": "enabled active",
        f"unit {RULES_UNIT}": "enabled active",
        "loaded rules": table,
        "ip_forward": "1",
        change_marker.INTERRUPTED: None,
    }


def read() -> State:
    """Read the files, units, loaded rules and the forwarding switch of this host; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    units = services.read([KEEPALIVED_UNIT, RULES_UNIT])
    return {
        **managed_files.read([KEEPALIVED_FILE, RULES_FILE, UNIT_FILE, SYSCTL_FILE]),
        **{f"unit {name}": unit.standing for name, unit in units.items()},
        "loaded rules": _loaded_rules(),
        "ip_forward": FORWARDING_SWITCH.read_text(encoding="ascii").strip(),
        **change_marker.read(_PART),
    }


def actions(changed: Iterable[str]) -> list[str]:
    """Say what changes of these keys take, once the files are written, in the order to do it.

    Rules stand before packets are forwarded and before addresses are announced.
    """
    keys = set(changed)
    if change_marker.INTERRUPTED in keys:  # a run ended between writing and doing: nothing is known to be in force
        keys |= {UNIT_FILE, RULES_FILE, KEEPALIVED_FILE}
    causes = {
        "reload units": {UNIT_FILE},
        "load rules": {RULES_FILE, "loaded rules"},
        "forward packets": {"ip_forward"},
        "reload keepalived": {KEEPALIVED_FILE},
        "start units": {f"unit {KEEPALIVED_UNIT}", f"unit {RULES_UNIT}"},
    }
    return [step for step, keys_of_step in causes.items() if keys_of_step & keys]


def apply(differences: Differences) -> None:
    """Make the changes; run again after a crash, it does what the crash left out.

    Raises:
        RuntimeError: A program refuses its new file, and nothing was changed; or one failed.
    """
    _validate(differences)
    with change_marker.under_way(_PART):
        managed_files.write(file_texts(differences))
        for step in actions(differences):
            _take(step)


def keepalived(gateway: Gateway) -> str:
    """Write keepalived.conf(5): one instance per virtual address, all moving together."""
    addresses = sorted(gateway["virtual_addresses"], key=lambda item: str(item["interface"]))
    if not addresses:
        return HEADER + _GLOBAL_DEFINITIONS
    members = "".join(f"        {item['interface']}\n" for item in addresses)
    group = f"\nvrrp_sync_group zone {{\n    group {{\n{members}    }}\n{_tracking(gateway['tracked_ports'])}}}\n"
    return HEADER + _GLOBAL_DEFINITIONS + group + "".join(_instance(item) for item in addresses)


def rules(gateway: Gateway) -> str:
    """Write the table as `nft list table` prints it, so that file and kernel compare as text."""
    virtual = {item["interface"]: item["address"] for item in gateway["virtual_addresses"]}
    pairs = sorted((pair["from"], pair["to"]) for pair in gateway["forwarding"])
    customers = sorted({interface for pair in pairs for interface in pair})
    reached = {name: {name, *(to for source, to in pairs if source == name)} & virtual.keys() for name in customers}
    networks = {name: [IPv4Interface(virtual[to]).network for to in those] for name, those in reached.items()}
    own = [rule for name in customers for rule in _own_rules(_either(name, virtual), _intervals(networks[name]))]
    crossing = [f"iifname {_either(source, virtual)} oifname {_either(to, virtual)} accept" for source, to in pairs]
    chains = [
        _chain("input", "accept", own),
        _chain("forward", "drop", ["ct state established,related accept", *crossing]),
    ]
    return f"table inet {TABLE} {{\n" + "\n".join(chains) + "}\n"


def virtual_interface(interface: str) -> str:
    """Name the interface of a virtual MAC."""
    return f"vrrp-{interface}"


# Without a router_id, keepalived asks the DNS for the host's name and waits ten seconds where there is none.
# Interfaces of Open vSwitch may come after keepalived at boot.
_GLOBAL_DEFINITIONS = f"""global_defs {{
    router_id podwright
    vrrp_version 3
    vrrp_startup_delay {STARTUP_DELAY_S}
    dynamic_interfaces
}}
"""

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


def _instance(item: dict[str, Any]) -> str:
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
    """Let a switch that has lost all of `ports`, and with them its pods, stand behind the other one."""
    if not ports:
        return ""
    weight = -(PRIORITY_GAP // len(ports) + 1)
    lines = "".join(f"        {port} weight {weight}\n" for port in sorted(ports))
    return f"    track_interface {{\n{lines}    }}\n"


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
        f"iifname {interface} meta l4proto {VRRP} accept",
        *ping,
        f"iifname {interface} drop",
    ]


def _chain(hook: str, policy: str, lines: list[str]) -> str:
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter; policy {policy};\n{body}\t}}\n"


def _either(interface: str, virtual: dict[str, str]) -> str:
    names = [interface, virtual_interface(interface)] if interface in virtual else [interface]
    return _set([f'"{name}"' for name in names])


def _set(members: list[str]) -> str:
    return members[0] if len(members) == 1 else f"{{ {', '.join(members)} }}"


def _loaded_rules() -> str | None:
    try:
        return services.run("nft", "--stateless", "--numeric-protocol", "list", "table", "inet", TABLE)
    except RuntimeError:
        return None


def _validate(differences: Differences) -> None:
    """Let the programs judge their new files before these take the place of the old ones.

    Raises:
        RuntimeError: One of them refuses; the text is what it said.
    """
    checks = {KEEPALIVED_FILE: ["keepalived", "--config-test", "--use-file"], RULES_FILE: ["nft", "--check", "--file"]}
    with tempfile.TemporaryDirectory(prefix="podwright-") as directory:
        for path, command in checks.items():
            if path in differences:
                candidate = Path(directory) / Path(path).name
                candidate.write_text(differences[path][1] or "", encoding="utf-8")
                services.run(*command, str(candidate))


def _take(step: str) -> None:
    if step == "forward packets":
        FORWARDING_SWITCH.write_text("1\n", encoding="ascii")
    else:
        services.run(*_COMMANDS[step])


_COMMANDS = {
    "reload units": ("systemctl", "daemon-reload"),
    "load rules": ("nft", "--file", RULES_FILE),
    # Does nothing to a keepalived that is not running; starting it comes next.
    "reload keepalived": ("systemctl", "try-reload-or-restart", KEEPALIVED_UNIT),
    "start units": ("systemctl", "enable", "--quiet", "--now", KEEPALIVED_UNIT, RULES_UNIT),
}
