"""The L3 side of a zone switch: virtual addresses by keepalived, forwarding rules by nftables.

Every file is podwright's as a whole. keepalived runs VRRPv3 (RFC 5798) with a
virtual MAC per address, so that a failover moves no entry in any neighbour cache.
A virtual MAC is an interface of its own (macvlan): a packet for the gateway comes in
there, and one that is sent leaves by the interface below; the rules name both.
"""

from __future__ import annotations

import tempfile
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files, services

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
State = dict[str, Any]


def read() -> State:
    """Read the files, units, loaded rules and the forwarding switch of this host."""
    units = services.read([KEEPALIVED_UNIT, RULES_UNIT])
    return {
        "files": {path: text for path, text in managed_files.read(_files()).items() if text is not None},
        "units": {name: unit.enabled and unit.active for name, unit in units.items()},
        "rules": _loaded_rules(),
        "forwarding": FORWARDING_SWITCH.read_text(encoding="ascii").strip() == "1",
    }


def wanted(gateway: Gateway) -> State:
    """Say what a zone switch with `gateway` has."""
    table = rules(gateway)
    return {
        "files": {
            KEEPALIVED_FILE: keepalived(gateway),
            # Declared, deleted and declared again: the kernel swaps the table in one transaction (nft(8), -f).
            RULES_FILE: f"{HEADER}table inet {TABLE}\ndelete table inet {TABLE}\n{table}",
            UNIT_FILE: _RULES_UNIT_TEXT,
            SYSCTL_FILE: f"{HEADER}net.ipv4.ip_forward = 1\n",
        },
        "units": {KEEPALIVED_UNIT: True, RULES_UNIT: True},
        "rules": table,
        "forwarding": True,
    }


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set."""
    changes: dict[str, Any] = {
        "files": {path: text for path, text in wanted["files"].items() if current["files"].get(path) != text},
        "units": {name: True for name in wanted["units"] if not current["units"].get(name)},
    }
    changes.update({key: wanted[key] for key in ("rules", "forwarding") if current[key] != wanted[key]})
    return {key: value for key, value in changes.items() if value}


def apply(changes: dict[str, Any]) -> None:
    """Make the changes; rules stand before packets are forwarded and before addresses are announced."""
    files = changes.get("files", {})
    _validate(files)
    managed_files.write(files)
    if UNIT_FILE in files:
        services.run("systemctl", "daemon-reload")
    if RULES_FILE in files or "rules" in changes:
        services.run("nft", "--file", RULES_FILE)
    if "forwarding" in changes:
        FORWARDING_SWITCH.write_text("1\n", encoding="ascii")
    units = changes.get("units", {})
    if units:
        services.run("systemctl", "enable", "--quiet", "--now", *sorted(units))
    if KEEPALIVED_FILE in files and KEEPALIVED_UNIT not in units:
        services.run("systemctl", "reload", KEEPALIVED_UNIT)


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
    networks = sorted(IPv4Interface(virtual[name]).network for name in customers if name in virtual)
    own = [rule for name in customers for rule in _own_rules(_either(name, virtual), [str(net) for net in networks])]
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


def _files() -> list[str]:
    return [KEEPALIVED_FILE, RULES_FILE, UNIT_FILE, SYSCTL_FILE]


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


def _own_rules(interface: str, networks: list[str]) -> list[str]:
    """Let customers' packets reach of the switch itself VRRP and, at addresses in customers' `networks`, ping."""
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


def _validate(files: dict[str, str]) -> None:
    """Let the programs check their new files before these take the place of the old ones.

    Raises:
        RuntimeError: one of them is refused.
    """
    checks = {KEEPALIVED_FILE: ["keepalived", "--config-test", "--use-file"], RULES_FILE: ["nft", "--check", "--file"]}
    with tempfile.TemporaryDirectory(prefix="podwright-") as directory:
        for path, command in checks.items():
            if path in files:
                candidate = Path(directory) / Path(path).name
                candidate.write_text(files[path], encoding="utf-8")
                services.run(*command, str(candidate))
