"""A firewall that is a bridge in the cable of a zone switch: its table of nftables, and the gate that it opens.

Only these frames pass, from one port to the other: ARP between the provider and our own addresses, VRRP between zone
switches (RFC 5798), and IPv4 as the rules have it, with connections tracked over the bridge (nf_conntrack_bridge). The
bridge has no address: nothing that comes by it is for the firewall itself.

Its port outside is down until the rules are loaded: the gate is a file for systemd-networkd below /run, which a boot
takes away, and the unit that loads the rules puts it back. The port inside follows the one outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    firewall_rules,
    managed_files,
    networkd_files,
    services,
    virtual_routers,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import State
from ansible_collections.podwright.cloud.plugins.module_utils.networkd_files import Option

FAMILY = "bridge"
"""Of the table that filters frames (nft(8), ADDRESS FAMILIES)."""
PORT = "port outside"
"""The key of what `read` gives beside files: whether that port is up."""
STEP = "open or close the bridge"
"""The step of a change that writes or removes the gate."""
GATES = "/run/systemd/network"
OPENING_LINE = f"table {FAMILY} {firewall_rules.TABLE} {{\n"
"""How a listing of the table begins."""
DELETE_UNLESS_BRIDGED = (
    f"[ -e /sys/class/net/{networkd_files.TRANSPARENT_BRIDGE} ] || nft delete table {FAMILY} {firewall_rules.TABLE}"
)
"""The shell command that takes the table away, but for one that frames could pass without it."""
IN_FORCE = ("networkctl reload",)
"""The shell commands that have a gate in force that was put back."""

_GATE_NAME = "podwright.conf"
_VRRP_GROUP = "224.0.0.18"  # RFC 5798 section 5.1.1.2
_VRRP_TTL = 255  # section 5.1.1.3
# Before connections are tracked, as the priority `raw` of other families, for which this one has no name.
_BEFORE_TRACKING = "-300"

# A rule that needs all that the rules need of a kernel.
_PROBE = f"""table {FAMILY} podwright_probe {{
	chain probe {{
		type filter hook forward priority filter; policy accept;
		ct state established accept
	}}
}}
"""

Firewall = dict[str, Any]


def check_kernel() -> None:
    """Ask the kernel whether it tracks connections over a bridge; changes nothing.

    Raises:
        RuntimeError: It does not; the text says what it lacks.
    """
    try:
        services.run("nft", "--check", "--file", "-", stdin=_PROBE)
    except FileNotFoundError as error:
        raise RuntimeError("nft is not there; install the Debian package nftables") from error
    except RuntimeError as error:
        release = Path("/proc/sys/kernel/osrelease").read_text(encoding="ascii").strip()
        raise RuntimeError(
            f"the kernel {release} does not track connections over a bridge, as a transparent firewall must: "
            "it lacks CONFIG_NF_CONNTRACK_BRIDGE (module nf_conntrack_bridge, since Linux 5.3); boot one that has it, "
            f"as Debian's do, or write firewall_mode: routed ({error})"
        ) from error


def desired(firewall: Firewall) -> State:
    """What should be seen of the gate: open before rules that are loaded, and none for a firewall that routes."""
    if not firewall.get("transparent"):
        return {}
    (outside,) = firewall["outside"]
    return {_gate(outside): networkd_files.sections_text([("Link", _OPEN)]), PORT: "up"}


def read(firewall: Firewall) -> State:
    """Read all gates that there are, and whether the port of this one's is up; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    there = Path(GATES).glob(f"{networkd_files.PREFIX}*.network.d/{_GATE_NAME}")
    port = {PORT: _standing(*firewall["outside"])} if firewall.get("transparent") else {}
    return {**managed_files.read(map(str, sorted(there))), **port}


def is_gate(key: str) -> bool:
    """Whether a key of a state is about the gate."""
    return key == PORT or key.startswith(f"{GATES}/")


def open_or_close(firewall: Firewall) -> None:
    """Make the gate what it should be.

    Raises:
        RuntimeError: systemd-networkd does not take it.
    """
    wanted = {path: text for path, text in desired(firewall).items() if path != PORT}
    seen = {path: None for path in read(firewall) if path != PORT}
    managed_files.write({**seen, **wanted})
    for path in seen.keys() - wanted.keys():
        with suppress(OSError):  # of somebody who added to it
            Path(path).parent.rmdir()
    services.run("networkctl", "reload")


def opening(firewall: Firewall) -> Iterator[str]:
    """Write the lines of a unit, systemd.service(5), by which it opens the gate before systemd-networkd starts."""
    for path, text in desired(firewall).items():
        if path != PORT:
            lines = "; ".join(f'echo "{line}"' for line in (text or "").splitlines())
            yield f"ExecStart=/bin/sh -c 'mkdir -p {Path(path).parent}; {{ {lines}; }} >{path}'"


def leaving(firewall: Firewall) -> str:
    """Write what goes before the rules of a firewall that routes: the end of the table, if it was transparent."""
    if firewall.get("transparent"):
        return ""
    try:
        services.run("nft", "list", "table", FAMILY, firewall_rules.TABLE)
    except RuntimeError:  # also where the kernel knows no such family
        return ""
    return f"delete table {FAMILY} {firewall_rules.TABLE}\n"


def table(firewall: Firewall) -> str:
    """Write the table, which is empty of effect until the bridge is there."""
    outside, inside = firewall["outside"], firewall["inside"]
    both = [*outside, *inside]
    chains = [
        firewall_rules.chain("spoofed", "filter", "prerouting", _BEFORE_TRACKING, "accept", _spoofed(firewall)),
        firewall_rules.chain("own", "filter", "input", "filter", "accept", [f"{firewall_rules.coming(both)} drop"]),
        firewall_rules.chain("sent", "filter", "output", "filter", "accept", [f"{firewall_rules.leaving(both)} drop"]),
        firewall_rules.chain("forward", "filter", "forward", "filter", "drop", _forward(firewall)),
    ]
    return firewall_rules.table_text(FAMILY, chains)


# With `always-up`, systemd 252 takes no notice of a carrier that is lost, and the port inside would not follow.
_OPEN: list[Option] = [("ActivationPolicy", "up")]


def _gate(outside: str) -> str:
    """The file that adds to what systemd-networkd knows of a port (systemd.network(5))."""
    return f"{GATES}/{networkd_files.PREFIX}{outside}.network.d/{_GATE_NAME}"


def _standing(port: str) -> str | None:
    links = json.loads(services.run("ip", "-json", "link", "show") or "[]")
    return next(("up" if "UP" in link["flags"] else "down" for link in links if link["ifname"] == port), None)


def _spoofed(firewall: Firewall) -> Iterator[str]:
    """What is neither ARP nor IPv4, tagged frames among it, and what has the source of somebody on the other side.

    Of the other zone switches, which are outside, VRRP alone is heard. What is dropped here teaches the bridge nothing.
    """
    near = firewall["transparent"]
    outside, inside = (firewall_rules.coming(firewall[side]) for side in ("outside", "inside"))
    yield f"{firewall_rules.coming([*firewall['outside'], *firewall['inside']])} ether type != {{ arp, ip }} drop"
    if near["beyond"]:
        yield f"{outside} {_vrrp(near['beyond'])} accept"
    ours = [*firewall["public_networks"], near["shared"], near["behind"]]
    yield from firewall_rules.foreign(outside, [*ours, *near["beyond"]], [near["network"]])
    yield f"{inside} ip saddr != {firewall_rules.networks(ours)} drop"


def _forward(firewall: Firewall) -> Iterator[str]:
    near, ways = firewall["transparent"], firewall_rules.ways(firewall)
    own = firewall_rules.networks([near["shared"], near["behind"]])
    yield from _arp(near, ways, own)
    yield "ether type != ip drop"
    if near["beyond"]:
        yield f"{ways['in']} {_vrrp(near['beyond'])} accept"
        yield f"{ways['out']} {_vrrp([near['behind']])} accept"
    yield "meta pkttype { broadcast, multicast } drop"
    yield "ct state invalid drop"
    yield "ct state established,related accept"
    # As a firewall that routes has it for its own addresses there.
    yield f"{ways['in']} ip daddr {own} meta l4proto {firewall_rules.ICMP} accept"
    yield from firewall_rules.crossing(firewall)


def _arp(near: dict[str, Any], ways: dict[str, str], own: str) -> Iterator[str]:
    """Who asks for us or answers us, under an address of the provider's network that is not ours; and we, under ours.

    That the provider's router has another MAC now is told to all (gratuitous ARP, RFC 5944 section 4.6).
    """
    operation = "arp operation { request, reply }"
    asked = f"arp saddr ip != {own} arp saddr ip {near['network']} arp daddr ip {own}"
    announced = f"arp saddr ip {near['gateway']} arp daddr ip {near['gateway']}"
    yield f"{ways['in']} {operation} {asked} accept"
    yield f"{ways['in']} {operation} {announced} accept"
    yield f"{ways['out']} {operation} arp saddr ip {own} arp daddr ip {near['network']} accept"


def _vrrp(sources: Iterable[str]) -> str:
    group = f"ip daddr {_VRRP_GROUP} ip ttl {_VRRP_TTL}"
    return f"ip saddr {firewall_rules.networks(sources)} {group} meta l4proto {virtual_routers.PROTOCOL}"
