"""A routing appliance: read what is seen on it, compare with what should be, change what differs.

Both sides are one flat mapping, {path of a file, or name of something running: text}; the keys whose texts differ are
the change, `actions` says what they take, and the same keys make the diff. What is seen comes from one look, which the
controller takes itself before it sends the module: starting that takes an appliance longer than all its work.
"""

from __future__ import annotations

import fnmatch
import json
import socket
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import appliance_files as files
from ansible_collections.podwright.cloud.plugins.module_utils import (
    change_marker,
    flat_state,
    look,
    managed_files,
    rollback,
    services,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State
from ansible_collections.podwright.cloud.plugins.module_utils.services import run
from ansible_collections.podwright.cloud.plugins.module_utils.transaction import WayBack, carry_out

_DNSMASQ, _FIREWALL, _NETWORKD = "podwright-dnsmasq.service", "podwright-firewall.service", "systemd-networkd.service"
_LISTING = Path("/var/lib/podwright/firewall.listing")
_PART = "routing-appliance"
_NETWORK_TIMEOUT_S = 20

_NETWORK_FILES = files.network_file("eth*")
_HOST_NAME, _FORWARDING, _ROUTES = "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/net/route"
_UNITS, _ADDRESSES, _RULES = "units", "addresses", "rules"
_SHOW_ADDRESSES = ("ip", "-json", "address")
_LIST_RULES = ("nft", "list", "table", "inet", files.TABLE)


def _text_option() -> dict[str, object]:
    return {"type": "str", "required": True}


def _part(**options: object) -> dict[str, object]:
    return {"type": "dict", "required": True, "options": options}


ARGUMENTS: dict[str, object] = {
    "appliance": _part(
        hostname=_text_option(),
        interfaces={"type": "dict", "required": True},
        guest_networks={"type": "dict", "required": True},
        dns=_part(forwarders={"type": "list", "elements": "str", "default": []}),
        source_nat=_part(interface=_text_option(), address=_text_option()),
        forwarding={"type": "list", "elements": "dict", "default": []},
    ),
    "rollback_after_s": {"type": "int", "default": 60},
}
"""The options of the module, as its argument_spec."""


def desired(appliance: Mapping[str, Any]) -> State:
    """Work out all that should be seen on the appliance."""
    interfaces = sorted(appliance["interfaces"].items())
    gateways = [f"{interface['gateway']} {name}" for name, interface in interfaces if interface.get("gateway")]
    return {
        **files.render(appliance),
        **{f"unit {unit}": "enabled active" for unit in (_NETWORKD, _FIREWALL, _DNSMASQ)},
        **{f"addresses of {name}": " ".join(sorted(interface["addresses"])) for name, interface in interfaces},
        "default route": gateways[0] if gateways else None,
        "host name": appliance["hostname"],
        "ip_forward": "1",
        "packet filter": "as loaded",
        "leases of other hosts": None,
        change_marker.INTERRUPTED: None,
        rollback.UNCONFIRMED: None,
    }


def sights(appliance: Mapping[str, Any]) -> look.Sights:
    """Name all that there is to look at on the appliance."""
    files_ = (*files.render(appliance), _NETWORK_FILES, str(_LISTING), files.LEASES, _HOST_NAME, _FORWARDING, _ROUTES)
    return look.Sights(
        files=files_,
        presences=(change_marker.path(_PART), rollback.SCRIPT),
        programs={
            _UNITS: services.showing((_NETWORKD, _FIREWALL, _DNSMASQ)),
            _ADDRESSES: _SHOW_ADDRESSES,
            _RULES: _LIST_RULES,
        },
    )


def state(appliance: Mapping[str, Any], seen: look.Seen) -> State:
    """Make out the state of the appliance in what was seen there.

    Raises:
        RuntimeError: A program failed, or an interface has not the declared MAC address.
    """
    for name in (_UNITS, _ADDRESSES):
        if seen.programs[name].status:
            raise RuntimeError(f"{' '.join(sights(appliance).programs[name])} ended with {seen.programs[name].status}")
    paths = {*files.render(appliance), *(path for path in seen.files if fnmatch.fnmatch(path, _NETWORK_FILES))}
    units = services.parse(seen.programs[_UNITS].printed)
    return {
        **{path: seen.files.get(path) for path in sorted(paths)},
        **{f"unit {name}": unit.standing for name, unit in units.items()},
        **_networks(appliance, seen.programs[_ADDRESSES].printed, seen.files[_ROUTES]),
        "host name": seen.files[_HOST_NAME].strip(),
        "ip_forward": seen.files[_FORWARDING].strip(),
        "packet filter": _packet_filter(seen.programs[_RULES], seen.files.get(str(_LISTING), "")),
        "leases of other hosts": stale_leases(_hosts(appliance), seen.files.get(files.LEASES, "")),
        **change_marker.told(change_marker.path(_PART) in seen.present),
        **rollback.told(rollback.SCRIPT in seen.present),
    }


def compare(appliance: Mapping[str, Any], seen: look.Seen) -> Differences:
    """Pick what differs between the appliance as it should be and as it was seen.

    Raises:
        RuntimeError: As `state` does.
    """
    return flat_state.compare(desired(appliance), state(appliance, seen))


def addresses(interfaces: Mapping[str, Any], shown: str) -> State:
    """Find the IPv4 addresses of the declared interfaces in what `ip -json address` prints.

    One that is not there yet has none: the virtual machine may be about to get it.

    Raises:
        RuntimeError: An interface has not the declared MAC address.
    """
    links = {link["ifname"]: link for link in json.loads(shown)}
    names = {link.get("address"): name for name, link in links.items()}
    for name, interface in sorted(interfaces.items()):
        found = links[name]["address"] if name in links else names.get(interface["mac"], interface["mac"])
        if found != interface["mac"]:
            raise RuntimeError(
                f"interfaces.{name}: found {found}, expected MAC address {interface['mac']}; "
                "give the virtual machine its NICs in the order of their names"
            )
    return {f"addresses of {name}": _ipv4(links.get(name, {"addr_info": []})) for name in sorted(interfaces)}


def default_route(table: str) -> str | None:
    """Find `gateway interface` of the default route in /proc/net/route (proc(5): hexadecimal, host byte order)."""
    for line in table.splitlines()[1:]:
        interface, destination, gateway, *_ = line.split()
        if int(destination, 16) == 0:
            return f"{IPv4Address(bytes.fromhex(gateway)[::-1])} {interface}"
    return None


def stale_leases(hosts: Iterable[Mapping[str, str]], leases: str) -> str | None:
    """List leases (`MAC address` a line) that no declared host holds: they would keep an address from its next host."""
    held = {f"{host['mac']} {host['address']}" for host in hosts}
    stale = [f"{mac} {address}" for mac, address in _holders(leases) if f"{mac} {address}" not in held]
    return "\n".join(stale) or None


def told(differences: Differences) -> dict[str, Any]:
    """What the module says of these differences."""
    return {"changed": bool(differences), "actions": actions(differences), "diff": flat_state.diff(differences)}


def actions(changed: Iterable[str]) -> list[str]:
    """Say what changes of these keys take, once the files are written, in the order to do it."""
    keys = set(changed)
    if change_marker.INTERRUPTED in keys:  # a run ended between writing and doing: nothing is known to be in force
        keys |= {"packet filter", "addresses of", files.DNSMASQ_UNIT}
    units = {f"unit {unit}" for unit in (_NETWORKD, _FIREWALL, _DNSMASQ)}
    unit_files = {files.DNSMASQ_UNIT, files.FIREWALL_UNIT}
    restarts_dnsmasq = {files.DNSMASQ, files.DNSMASQ_UNIT, f"unit {_DNSMASQ}", "leases of other hosts"}
    wanted = {
        "set the host name": {"host name"},
        "forward packets": {"ip_forward"},
        "reload units": unit_files,
        "enable units": units,
        "load the packet filter": {files.FIREWALL, files.FIREWALL_UNIT, "packet filter", f"unit {_FIREWALL}"},
        "start networkd": {f"unit {_NETWORKD}"},
        "reconfigure networks": {key for key in keys if _is_network(key)},
        "restart dnsmasq": restarts_dnsmasq,
        "reload dnsmasq": {files.DHCP_HOSTS, files.DNS_HOSTS},
    }
    steps = [step for step, causes in wanted.items() if causes & keys]
    return [step for step in steps if step != "reload dnsmasq" or "restart dnsmasq" not in steps]


def may_cut_off(steps: Iterable[str]) -> bool:
    """Whether these steps touch what the controller reaches the appliance through."""
    return bool({"load the packet filter", "start networkd", "reconfigure networks"} & set(steps))


def check(differences: Differences) -> None:
    """Let dnsmasq and nft judge the files that would be written.

    Raises:
        RuntimeError: One of them refuses; the text is what it said.
    """
    for path, command in (
        (files.DNSMASQ, ("dnsmasq", "--test", "--conf-file=-")),
        (files.FIREWALL, ("nft", "--check", "--file", "-")),
    ):
        if path in differences:
            run(*command, stdin=differences[path][1] or "")


def apply(appliance: Mapping[str, Any], differences: Differences, rollback_after_s: int) -> bool:
    """Make the changes; run again after a crash, it does what the crash left out.

    Returns:
        Whether the changes are taken back in `rollback_after_s` unless `rollback.CONFIRM` is run.

    Raises:
        RuntimeError: A program failed, or an address did not come up.
    """
    steps = actions(differences)
    way_back = WayBack(_IN_FORCE, rollback_after_s) if may_cut_off(steps) else None
    return carry_out(_PART, differences, steps, lambda step: _take(step, appliance, differences), way_back)


def _ipv4(link: Mapping[str, Any]) -> str | None:
    found = (f"{info['local']}/{info['prefixlen']}" for info in link["addr_info"] if info["family"] == "inet")
    return " ".join(sorted(found)) or None


def _packet_filter(rules: look.Program, as_loaded: str) -> str | None:
    if rules.status:
        return None
    return "as loaded" if rules.printed == as_loaded else rules.printed


def _hosts(appliance: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return [host for _, host in files.hosts_of(appliance["guest_networks"])]


def _text(path: str) -> str:
    return managed_files.read([path])[path] or ""


def _holders(leases: str) -> list[tuple[str, str]]:
    """Read (MAC, address) pairs of dnsmasq's lease file: `expiry MAC address name client-id` a line."""
    return [(fields[1], fields[2]) for fields in map(str.split, leases.splitlines()) if len(fields) == 5]


def _is_network(key: str) -> bool:
    return key.startswith(("/etc/systemd/network/", "addresses of", "default route"))


# How files that were put back come into force.
_IN_FORCE = (
    f"if [ -e {files.FIREWALL} ]; then nft --file {files.FIREWALL}; else nft delete table inet {files.TABLE}; fi",
    f"nft list table inet {files.TABLE} >{_LISTING}",
    "systemctl daemon-reload",
    "networkctl reload",
    f"systemctl try-restart {_DNSMASQ}",
)


def _take(step: str, appliance: Mapping[str, Any], changed: Iterable[str]) -> None:
    if step == "set the host name":
        socket.sethostname(appliance["hostname"])
    elif step == "forward packets":
        Path(_FORWARDING).write_text("1", encoding="ascii")
    elif step == "load the packet filter":
        run("systemctl", "restart", _FIREWALL)
        managed_files.write({str(_LISTING): run(*_LIST_RULES)})
    elif step == "reconfigure networks":
        _reconfigure_networks(appliance, set(changed))
    elif step == "restart dnsmasq":
        _restart_dnsmasq(_hosts(appliance))
    else:
        run(*_COMMANDS[step])


_COMMANDS = {
    "reload units": ("systemctl", "daemon-reload"),
    "enable units": ("systemctl", "enable", "--quiet", _NETWORKD, _FIREWALL, _DNSMASQ),
    "start networkd": ("systemctl", "start", _NETWORKD),
    "reload dnsmasq": ("systemctl", "reload", _DNSMASQ),
}


def _reconfigure_networks(appliance: Mapping[str, Any], changed: set[str]) -> None:
    """Have networkd read its files; it looks again at an interface by itself only when that one's file changed."""
    if f"unit {_NETWORKD}" not in changed:  # else it has just read them, and is not ready to do so again
        run("networkctl", "reload")
        interfaces = appliance["interfaces"]
        drifted = [name for name in sorted(interfaces) if f"addresses of {name}" in changed]
        if "default route" in changed:
            drifted += [name for name, interface in sorted(interfaces.items()) if interface.get("gateway")]
        unread = [name for name in dict.fromkeys(drifted) if files.network_file(name) not in changed]
        if unread:
            run("networkctl", "reconfigure", *unread)
    _await_networks(appliance)


def _await_networks(appliance: Mapping[str, Any]) -> None:
    """Wait until networkd, which answers before it has done it, has set addresses and the default route."""
    wanted = desired(appliance)
    deadline = time.monotonic() + _NETWORK_TIMEOUT_S
    while True:
        table = Path(_ROUTES).read_text(encoding="ascii")
        there = _networks(appliance, run(*_SHOW_ADDRESSES), table)
        missing = {key: text for key, text in there.items() if text != wanted[key]}
        if not missing:
            return
        if time.monotonic() > deadline:
            found = ", ".join(f"{key}: found {text or 'none'}, expected {wanted[key]}" for key, text in missing.items())
            remedy = "see networkctl status on the appliance, and virsh domiflist on its hypervisor"
            raise RuntimeError(f"{found} after {_NETWORK_TIMEOUT_S} s; {remedy}")
        time.sleep(0.1)


def _networks(appliance: Mapping[str, Any], shown: str, table: str) -> State:
    return {**addresses(appliance["interfaces"], shown), "default route": default_route(table)}


def _restart_dnsmasq(hosts: Iterable[Mapping[str, str]]) -> None:
    """Restart without the leases of other hosts: dnsmasq reads the lease file only when it starts."""
    run("systemctl", "stop", _DNSMASQ)
    held = {(host["mac"], host["address"]) for host in hosts}
    lines = [line for line in _text(files.LEASES).splitlines() if set(_holders(line)) <= held]
    managed_files.write({files.LEASES: "".join(f"{line}\n" for line in lines)})
    run("systemctl", "start", _DNSMASQ)
