"""A routing appliance: read what is seen on it, compare with what should be, change what differs.

Both sides are one flat mapping, {path of a file, or name of something running: text}; the keys whose texts differ are
the change, `actions` says what they take, and the same keys make the diff.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import appliance_files as files
from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files, rollback, services
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State
from ansible_collections.podwright.cloud.plugins.module_utils.services import run
from ansible_collections.podwright.cloud.plugins.module_utils.transaction import WayBack, carry_out

_DNSMASQ, _FIREWALL, _NETWORKD = "podwright-dnsmasq.service", "podwright-firewall.service", "systemd-networkd.service"
_LISTING = Path("/var/lib/podwright/firewall.listing")
_PART = "routing-appliance"
_NETWORK_TIMEOUT_S = 20


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


def read(appliance: Mapping[str, Any]) -> State:
    """Read what is seen on the appliance; changes nothing.

    Raises:
        RuntimeError: A program failed, or an interface has not the declared MAC address.
    """
    paths = {*files.render(appliance), *map(str, Path("/etc/systemd/network").glob("10-podwright-eth*.network"))}
    return {
        **managed_files.read(sorted(paths)),
        **{f"unit {name}": unit.standing for name, unit in services.read((_NETWORKD, _FIREWALL, _DNSMASQ)).items()},
        **_networks(appliance),
        "host name": socket.gethostname(),
        "ip_forward": Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii").strip(),
        "packet filter": _packet_filter(),
        "leases of other hosts": stale_leases(_hosts(appliance), _text(files.LEASES)),
        **change_marker.read(_PART),
        **rollback.read(),
    }


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


def _packet_filter() -> str | None:
    try:
        listing = run("nft", "list", "table", "inet", "podwright")
    except RuntimeError:
        return None
    return "as loaded" if listing == _text(str(_LISTING)) else listing


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
    f"if [ -e {files.FIREWALL} ]; then nft --file {files.FIREWALL}; else nft delete table inet podwright; fi",
    f"nft list table inet podwright >{_LISTING}",
    "systemctl daemon-reload",
    "networkctl reload",
    f"systemctl try-restart {_DNSMASQ}",
)


def _take(step: str, appliance: Mapping[str, Any], changed: Iterable[str]) -> None:
    if step == "set the host name":
        socket.sethostname(appliance["hostname"])
    elif step == "forward packets":
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    elif step == "load the packet filter":
        run("systemctl", "restart", _FIREWALL)
        managed_files.write({str(_LISTING): run("nft", "list", "table", "inet", "podwright")})
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
        missing = {key: text for key, text in _networks(appliance).items() if text != wanted[key]}
        if not missing:
            return
        if time.monotonic() > deadline:
            found = ", ".join(f"{key}: found {text or 'none'}, expected {wanted[key]}" for key, text in missing.items())
            remedy = "see networkctl status on the appliance, and virsh domiflist on its hypervisor"
            raise RuntimeError(f"{found} after {_NETWORK_TIMEOUT_S} s; {remedy}")
        time.sleep(0.1)


def _networks(appliance: Mapping[str, Any]) -> State:
    return {
        **addresses(appliance["interfaces"], run("ip", "-json", "address")),
        "default route": default_route(Path("/proc/net/route").read_text(encoding="ascii")),
    }


def _restart_dnsmasq(hosts: Iterable[Mapping[str, str]]) -> None:
    """Restart without the leases of other hosts: dnsmasq reads the lease file only when it starts."""
    run("systemctl", "stop", _DNSMASQ)
    held = {(host["mac"], host["address"]) for host in hosts}
    lines = [line for line in _text(files.LEASES).splitlines() if set(_holders(line)) <= held]
    managed_files.write({files.LEASES: "".join(f"{line}\n" for line in lines)})
    run("systemctl", "start", _DNSMASQ)
