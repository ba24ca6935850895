"""The firewall of a zone: a packet filter by nftables, shared addresses by keepalived, VPNs by strongSwan.

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
    rollback,
    services,
    virtual_routers,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State, file_texts

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
    vpns = firewall["vpns"]
    followers = [ipsec.UNIT] if vpns else []
    return {
        RULES_FILE: firewall_rules.table(firewall, esp),
        UNIT_FILE: _RULES_UNIT_TEXT,
        virtual_routers.UNIT_FILE: virtual_routers.UNIT_TEXT,
        virtual_routers.FILE: virtual_routers.configuration(
            firewall["virtual_addresses"], firewall["tracked_ports"], followers
        ),
        **ipsec.files(vpns, esp),
        KEYS: _as_on_controller(vpns) if vpns else None,
        f"unit {virtual_routers.UNIT}": "enabled active",
        f"unit {RULES_UNIT}": "enabled active",
        "packet filter": "as loaded",
        "ip_forward": "1",
        FOLLOWS: "yes" if vpns else None,
        change_marker.INTERRUPTED: None,
        rollback.UNCONFIRMED: None,
    }


def read(firewall: Firewall, keys: ipsec.Keys) -> State:
    """Read the files, units, loaded rules and the forwarding switch of this host; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    units = services.read([virtual_routers.UNIT, RULES_UNIT])
    paths = [RULES_FILE, UNIT_FILE, virtual_routers.FILE, virtual_routers.UNIT_FILE, *ipsec.files({}, "kernel")]
    return {
        **managed_files.read(paths),
        **{f"unit {name}": unit.standing for name, unit in units.items()},
        KEYS: _keys_seen(firewall["vpns"], keys),
        "packet filter": _packet_filter(),
        "ip_forward": FORWARDING_SWITCH.read_text(encoding="ascii").strip(),
        FOLLOWS: _follows(firewall),
        **change_marker.read(_PART),
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
        "reload units": {UNIT_FILE, virtual_routers.UNIT_FILE, ipsec.UNIT_FILE, ipsec.CALLER_FILE},
        "load rules": {RULES_FILE, "packet filter"},
        "forward packets": {"ip_forward"},
        "reload keepalived": {virtual_routers.FILE},
        "start units": {f"unit {virtual_routers.UNIT}", f"unit {RULES_UNIT}"},
        "restart VPNs": {ipsec.DAEMON_FILE, ipsec.UNIT_FILE, ipsec.CALLER_FILE},
        "reload VPNs": {ipsec.CONNECTIONS_FILE, KEYS},
        "start or stop VPNs": {FOLLOWS, ipsec.DAEMON_FILE},
    }
    steps = [step for step, keys_of_step in causes.items() if keys_of_step & keys]
    return [step for step in steps if step != "reload VPNs" or "restart VPNs" not in steps]


def may_cut_off(steps: Iterable[str]) -> bool:
    """Whether these steps touch what the controller reaches the firewall through."""
    return "load rules" in steps


def check(differences: Differences) -> None:
    """Let nft judge the rules that would be loaded.

    Raises:
        RuntimeError: It refuses; the text is what it said.
    """
    if RULES_FILE in differences:
        services.run("nft", "--check", "--file", "-", stdin=differences[RULES_FILE][1] or "")


def apply(firewall: Firewall, keys: ipsec.Keys, differences: Differences, rollback_after_s: int) -> bool:
    """Make the changes; run again after a crash, it does what the crash left out.

    Returns:
        Whether the changes are taken back in `rollback_after_s` unless `rollback.CONFIRM` is run.

    Raises:
        RuntimeError: A program failed.
    """
    steps = actions(differences)
    with change_marker.under_way(_PART):
        if may_cut_off(steps):
            rollback.arm(differences, _IN_FORCE, rollback_after_s)
        managed_files.write(file_texts(differences))
        for step in steps:
            _take(step, firewall, keys)
    return rollback.is_armed()


# How files that were put back come into force. A firewall that had none of ours forwards nothing.
_IN_FORCE = (
    f"test -e {RULES_FILE} || echo 0 >{FORWARDING_SWITCH}",
    f"if [ -e {RULES_FILE} ]; then nft --file {RULES_FILE}; else nft delete table inet {firewall_rules.TABLE}; fi",
    f"nft --stateless list table inet {firewall_rules.TABLE} >{LISTING}",
    "systemctl daemon-reload",
    f"systemctl try-reload-or-restart {virtual_routers.UNIT}",
    f"systemctl try-restart {ipsec.UNIT}",
)

_RULES_UNIT_TEXT = f"""{virtual_routers.HEADER}[Unit]
Description=Packet filter of the zone
Wants=network-pre.target
Before=network-pre.target {virtual_routers.UNIT}
After=nftables.service
PartOf=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {RULES_FILE}
ExecStart=/bin/sh -c 'nft --stateless list table inet {firewall_rules.TABLE} >{LISTING}'
ExecStart=/bin/sh -c 'echo 1 >{FORWARDING_SWITCH}'
ExecReload=/usr/sbin/nft --file {RULES_FILE}
ExecReload=/bin/sh -c 'nft --stateless list table inet {firewall_rules.TABLE} >{LISTING}'

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


def _packet_filter() -> str | None:
    try:
        listing = _listing()
    except RuntimeError:
        return None
    return "as loaded" if listing == managed_files.read([LISTING])[LISTING] else listing


def _listing() -> str:
    return services.run("nft", "--stateless", "list", "table", "inet", firewall_rules.TABLE)


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
    if step == "write keys":
        ipsec.write_keys(ipsec.keys_text(firewall["vpns"], keys))
    elif step == "load rules":
        services.run("nft", "--file", RULES_FILE)
        managed_files.write({LISTING: _listing()})
    elif step == "forward packets":
        FORWARDING_SWITCH.write_text("1\n", encoding="ascii")
    elif step == "start or stop VPNs":
        _follow(firewall)
    else:
        services.run(*_COMMANDS[step])


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
    "start units": ("systemctl", "enable", "--quiet", "--now", virtual_routers.UNIT, RULES_UNIT),
    "restart VPNs": ("systemctl", "try-restart", ipsec.UNIT),
    "reload VPNs": ("systemctl", "try-reload-or-restart", ipsec.UNIT),
}
