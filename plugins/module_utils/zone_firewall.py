"""The firewall of a zone: packet filter by nftables, shared addresses by keepalived, VPNs by strongSwan, routes by FRR.

One that is transparent has a bridge instead of routes and VPNs (transparent_firewall.py).

What is wanted and what is seen are one flat mapping each; the keys whose texts differ are the change, and `actions`
says what they take. Packets are forwarded only once the rules are loaded: the unit that loads them at boot, before the
network, switches forwarding on, and where it fails nothing passes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    change_marker,
    firewall_rules,
    ipsec,
    managed_files,
    ospf,
    rollback,
    services,
    transparent_firewall,
    virtual_routers,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State
from ansible_collections.podwright.cloud.plugins.module_utils.transaction import WayBack, carry_out

RULES_UNIT = "podwright-zone-firewall.service"
RULES_FILE = "/etc/podwright/zone-firewall.nft"
UNIT_FILE = f"/etc/systemd/system/{RULES_UNIT}"
LISTING = "/var/lib/podwright/zone-firewall.listing"
FORWARDING_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
FOLLOWS = "VPNs run where the shared addresses are"
KEYS = "pre-shared keys"
_PART = "zone-firewall"
_FOLLOW_TIMEOUT_S = 10

Firewall = dict[str, Any]


def desired(firewall: Firewall, esp: firewall_rules.Esp) -> State:
    """Work out all that should be seen on a firewall; of the keys only that they are those of the controller."""
    vpns, shares = firewall["vpns"], bool(firewall["virtual_addresses"])
    followers = [ipsec.UNIT] if vpns else []
    shared = virtual_routers.configuration(
        firewall["virtual_addresses"], firewall["tracked_ports"], followers, ospf.told(firewall["routing"])
    )
    return {
        RULES_FILE: rules(firewall, esp),
        UNIT_FILE: _unit_text(firewall),
        virtual_routers.UNIT_FILE: virtual_routers.UNIT_TEXT if shares else None,
        virtual_routers.FILE: shared if shares else None,  # without addresses keepalived never says that it is ready
        **ipsec.files(vpns, esp),
        KEYS: _as_on_controller(vpns) if vpns else None,
        f"unit {virtual_routers.UNIT}": "enabled active" if shares else None,
        f"unit {RULES_UNIT}": "enabled active",
        "packet filter": "as loaded",
        "ip_forward": "1",
        FOLLOWS: "yes" if vpns else None,
        **ospf.desired(firewall["routing"]),
        **transparent_firewall.desired(firewall),
        change_marker.INTERRUPTED: None,
        rollback.UNCONFIRMED: None,
    }


def rules(firewall: Firewall, esp: firewall_rules.Esp) -> str:
    """Write all that is filtered, in the one file that is loaded in one step."""
    bridged = transparent_firewall.table(firewall) if firewall.get("transparent") else ""
    return virtual_routers.HEADER + firewall_rules.table(firewall, esp) + bridged


def read(firewall: Firewall, keys: ipsec.Keys, routing_key: str | None) -> State:
    """Read the files, units, loaded rules, the forwarding switch and FRR of this host; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    units = services.read([virtual_routers.UNIT, RULES_UNIT])
    wanted = _units(firewall)
    marker = change_marker.read(_PART)
    paths = [RULES_FILE, UNIT_FILE, virtual_routers.FILE, virtual_routers.UNIT_FILE, *ipsec.files({}, "kernel")]
    return {
        **managed_files.read(paths),
        **{f"unit {name}": unit.standing for name, unit in units.items() if unit.active or name in wanted},
        KEYS: _keys_seen(firewall["vpns"], keys),
        "packet filter": _packet_filter(firewall),
        "ip_forward": FORWARDING_SWITCH.read_text(encoding="ascii").strip(),
        FOLLOWS: _follows(firewall),
        **ospf.read(firewall["routing"], routing_key, was_told=marker[change_marker.INTERRUPTED] is None),
        **transparent_firewall.read(firewall),
        **marker,
        **rollback.read(),
    }


def actions(changed: Iterable[str]) -> list[str]:
    """Say what changes of these keys take, once the files are written, in the order to do it.

    Rules stand before packets are forwarded and before addresses are announced.
    """
    keys = set(changed)
    if change_marker.INTERRUPTED in keys:  # a run ended between writing and doing: nothing is known to be in force
        keys |= {UNIT_FILE, RULES_FILE, virtual_routers.FILE, ipsec.DAEMON_FILE}
    causes = {
        "write keys": {KEYS},
        "reload units": {UNIT_FILE, virtual_routers.UNIT_FILE, ipsec.UNIT_FILE, ipsec.CALLER_FILE, ospf.UNIT_FILE},
        "load rules": {RULES_FILE, "packet filter"},
        transparent_firewall.STEP: {key for key in keys if transparent_firewall.is_gate(key)},
        "forward packets": {"ip_forward"},
        "reload keepalived": {virtual_routers.FILE},
        "start or stop units": {f"unit {virtual_routers.UNIT}", f"unit {RULES_UNIT}"},
        "restart VPNs": {ipsec.DAEMON_FILE, ipsec.UNIT_FILE, ipsec.CALLER_FILE},
        "reload VPNs": {ipsec.CONNECTIONS_FILE, KEYS},
        "start or stop VPNs": {FOLLOWS, ipsec.DAEMON_FILE},
    }
    steps = [*(step for step, keys_of_step in causes.items() if keys_of_step & keys), *ospf.actions(keys)]
    return [step for step in steps if step != "reload VPNs" or "restart VPNs" not in steps]


def may_cut_off(steps: Iterable[str]) -> bool:
    """Whether these steps touch what the controller reaches the firewall through."""
    return not {"load rules", *ospf.STEPS}.isdisjoint(steps)


def check(firewall: Firewall, differences: Differences) -> None:
    """Let the kernel and nft judge the rules that would be loaded, and FRR the routes.

    Raises:
        RuntimeError: One of them refuses; the text is what it said.
    """
    if RULES_FILE in differences:
        if firewall.get("transparent"):
            transparent_firewall.check_kernel()
        services.run("nft", "--check", "--file", "-", stdin=differences[RULES_FILE][1] or "")
    ospf.check(differences)


def apply(
    firewall: Firewall, keys: ipsec.Keys, routing_key: str | None, differences: Differences, rollback_after_s: int
) -> bool:
    """Make the changes; run again after a crash, it does what the crash left out.

    Returns:
        Whether the changes are taken back in `rollback_after_s` unless `rollback.CONFIRM` is run.

    Raises:
        RuntimeError: A program failed.
    """
    steps = actions(differences)
    in_force = (*_IN_FORCE, *ospf.IN_FORCE) if ospf.actions(set(differences)) else _IN_FORCE
    gates = [key for key in differences if transparent_firewall.is_gate(key)]
    if gates:
        in_force = (*in_force, *transparent_firewall.IN_FORCE)

    def take(step: str) -> None:
        if step in ospf.STEPS:
            ospf.take(step, firewall["routing"], routing_key)
        else:
            _take(step, firewall, keys)

    way_back = WayBack(in_force, rollback_after_s) if may_cut_off(steps) else None
    return carry_out(_PART, differences, steps, take, way_back, (*ospf.WRITTEN_BY_STEPS, *gates))


# What is loaded of ours, also where a table is left of a firewall that was transparent.
_LIST = (
    f"{{ nft --stateless list table inet {firewall_rules.TABLE} && "
    f"{{ nft --stateless list table {transparent_firewall.FAMILY} {firewall_rules.TABLE} 2>/dev/null || :; }}; }}"
)

# How files that were put back come into force. A firewall that had none of ours forwards nothing.
_IN_FORCE = (
    f"test -e {RULES_FILE} || echo 0 >{FORWARDING_SWITCH}",
    f"if [ -e {RULES_FILE} ]; then nft --file {RULES_FILE}; else nft delete table inet {firewall_rules.TABLE}; fi",
    f"grep -qs '^table {transparent_firewall.FAMILY} ' {RULES_FILE} || {transparent_firewall.DELETE_UNLESS_BRIDGED}",
    f"{_LIST} >{LISTING}",
    "systemctl daemon-reload",
    f"if [ -e {virtual_routers.FILE} ]; then verb=reload-or-restart; else verb=stop; fi",
    f"systemctl $verb {virtual_routers.UNIT}",
    f"systemctl try-restart {ipsec.UNIT}",
)


def _unit_text(firewall: Firewall) -> str:
    """Write the unit that loads the rules at boot; only then it lets packets and frames pass."""
    opening = "".join(f"{line}\n" for line in transparent_firewall.opening(firewall))
    return f"""{virtual_routers.HEADER}[Unit]
Description=Packet filter of the zone
Wants=network-pre.target
Before=network-pre.target {virtual_routers.UNIT}
After=nftables.service
PartOf=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {RULES_FILE}
ExecStart=/bin/sh -c '{_LIST} >{LISTING}'
ExecStart=/bin/sh -c 'echo 1 >{FORWARDING_SWITCH}'
{opening}ExecReload=/usr/sbin/nft --file {RULES_FILE}
ExecReload=/bin/sh -c '{_LIST} >{LISTING}'

[Install]
WantedBy=multi-user.target
"""


def _as_on_controller(vpns: ipsec.Vpns) -> str:
    return f"as on the controller: {', '.join(sorted(vpns))}"


def _keys_seen(vpns: ipsec.Vpns, keys: ipsec.Keys) -> str | None:
    """What may be told of the keys."""
    there = ipsec.read_keys()
    if there is None:
        return None
    has_all = vpns.keys() <= keys.keys()
    return _as_on_controller(vpns) if has_all and there == ipsec.keys_text(vpns, keys) else "others"


def _packet_filter(firewall: Firewall) -> str | None:
    try:
        listing = _listing()
    except RuntimeError:
        return None
    has_left_over = not firewall.get("transparent") and transparent_firewall.OPENING_LINE in listing
    return "as loaded" if listing == managed_files.read([LISTING])[LISTING] and not has_left_over else listing


def _listing() -> str:
    return services.run("sh", "-c", _LIST)


def _follows(firewall: Firewall) -> str | None:
    """Whether strongSwan runs if, and only if, the addresses that move together are here."""
    is_active = services.read([ipsec.UNIT])[ipsec.UNIT].active
    if not firewall["vpns"]:
        return "without VPNs" if is_active else None
    if is_active == _has_addresses(firewall):
        return "yes"
    return f"{ipsec.UNIT} is {'active' if is_active else 'inactive'}, and the addresses are not"


def _has_addresses(firewall: Firewall) -> bool:
    shared = {
        str(IPv4Interface(item["address"]).ip) for item in firewall["virtual_addresses"] if not item["moves_alone"]
    }
    here = {line.split()[3].partition("/")[0] for line in services.run("ip", "-oneline", "-4", "address").splitlines()}
    return shared <= here


def _take(step: str, firewall: Firewall, keys: ipsec.Keys) -> None:
    if step in _STEPS_OF_VPNS and not _has_strongswan():
        return
    if step == "write keys":
        ipsec.write_keys(ipsec.keys_text(firewall["vpns"], keys))
    elif step == "load rules":
        text = transparent_firewall.leaving(firewall) + Path(RULES_FILE).read_text(encoding="utf-8")
        services.run("nft", "--file", "-", stdin=text)
        managed_files.write({LISTING: _listing()})
    elif step == transparent_firewall.STEP:
        transparent_firewall.open_or_close(firewall)
    elif step == "forward packets":
        FORWARDING_SWITCH.write_text("1\n", encoding="ascii")
    elif step == "start or stop units":
        services.run("systemctl", "enable", "--quiet", "--now", *_units(firewall))
        if not firewall["virtual_addresses"]:
            services.run("systemctl", "stop", virtual_routers.UNIT)
    elif step == "start or stop VPNs":
        _follow(firewall)
    else:
        services.run(*_COMMANDS[step])


_STEPS_OF_VPNS = ("restart VPNs", "reload VPNs", "start or stop VPNs")


def _has_strongswan() -> bool:
    """Whether there is anything to tell of VPNs; without them, a firewall need not have it."""
    return bool(services.read([ipsec.UNIT])[ipsec.UNIT].file_state)


def _units(firewall: Firewall) -> list[str]:
    """Name the units that run at all times; only who shares addresses has keepalived."""
    return [virtual_routers.UNIT, RULES_UNIT] if firewall["virtual_addresses"] else [RULES_UNIT]


def _follow(firewall: Firewall) -> None:
    """Bring strongSwan where the addresses are; keepalived, perhaps just started, may be about to do so itself."""
    deadline = time.monotonic() + _FOLLOW_TIMEOUT_S
    while firewall["vpns"] and not _has_addresses(firewall) and time.monotonic() < deadline:
        time.sleep(0.2)
    runs = bool(firewall["vpns"]) and _has_addresses(firewall)
    services.run("systemctl", "start" if runs else "stop", ipsec.UNIT)
    if not firewall["vpns"]:
        services.run(*ipsec.FORGET_ADDRESSES)  # the unit, which would have done it, is what it was before us


_COMMANDS = {
    "reload units": ("systemctl", "daemon-reload"),
    # Does nothing to a keepalived that is not running; starting it comes next.
    "reload keepalived": ("systemctl", "try-reload-or-restart", virtual_routers.UNIT),
    "restart VPNs": ("systemctl", "try-restart", ipsec.UNIT),
    "reload VPNs": ("systemctl", "try-reload-or-restart", ipsec.UNIT),
}
