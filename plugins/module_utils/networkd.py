"""systemd-networkd: podwright's files of a host, and the links, addresses and routes they stand for.

A state is `{files, in_force, links, vlans, tunnels, addresses, routes, occupants}`, of podwright's
files and of the interfaces that these name; other files and interfaces are foreign.

networkd does not say which text of a file it has read. `in_force` is false when a change
was interrupted, and then it reads them all again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.networkd_files import (
    DIRECTORY,
    EVERYBODY,
    ISOLATED,
    PREFIX,
)

UNIT = "systemd-networkd.service"

State = dict[str, Any]

_PART = "networkd"


class Seen(NamedTuple):
    """What iproute2 prints as JSON."""

    links: list[dict[str, Any]]
    vlans: list[dict[str, Any]]
    """those of the ports of bridges; none, where no bridge tells VLANs apart"""
    peers: list[dict[str, Any]]
    """forwarding databases; none, where there is no tunnel"""


def see() -> Seen:
    """Look at all links of this host, podwright's and others."""
    links = json.loads(services.run("ip", "-json", "-details", "address", "show") or "[]")
    vlans = json.loads(services.run("bridge", "-json", "vlan", "show") or "[]") if any(map(is_trunk, links)) else []
    has_tunnel = any(kind_of(link) == "vxlan" for link in links)
    peers = json.loads(services.run("bridge", "-json", "fdb", "show") or "[]") if has_tunnel else []
    return Seen(links, vlans, peers)


def read() -> State:
    """Read podwright's files and, live, the interfaces they name."""
    paths = sorted(Path(DIRECTORY).glob(f"{PREFIX}*"))
    files = {path.name: path.read_text(encoding="utf-8") for path in paths}
    seen = see()
    # What a routing daemon finds is its own, and may be there beside a route of ours with a higher metric.
    routes = json.loads(services.run("ip", "-json", "-4", "route", "show", "proto", "static") or "[]")
    in_force = change_marker.read(_PART)[change_marker.INTERRUPTED] is None
    return {**parse(files, seen.links, routes, seen.vlans, seen.peers), "in_force": in_force}


def parse(
    files: dict[str, str],
    links: list[dict[str, Any]],
    routes: list[dict[str, Any]],
    vlans: list[dict[str, Any]],
    peers: list[dict[str, Any]],
) -> State:
    """Read what is seen out of `files` and what iproute2 prints as JSON.

    That is of all links, IPv4 routes, VLANs of bridges and forwarding databases.
    """
    named = {Path(name[len(PREFIX) :]).stem for name in files}
    made = {Path(name[len(PREFIX) :]).stem for name in files if name.endswith(".netdev")}
    ours = [link for link in links if link.get("ifname") in named]
    bridges = {link["ifname"] for link in ours if is_trunk(link)}
    on_trunk = bridges | {link["ifname"] for link in ours if link.get("master") in bridges}
    return {
        "files": files,
        "links": {link["ifname"]: _link(link) for link in ours if kind_of(link) != "vxlan"},
        "vlans": {port["ifname"]: _vlans(port) for port in vlans if port["ifname"] in on_trunk},
        "tunnels": {link["ifname"]: _tunnel(link, peers, named) for link in ours if kind_of(link) == "vxlan"},
        "addresses": {link["ifname"]: addresses_of(link) for link in ours},
        "routes": {_destination(route): route["gateway"] for route in routes if "gateway" in route},
        "occupants": {name: _occupants(name, links, named) for name in sorted(made)},
    }


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set, null where it has to go.

    An address or a route that a file does not name is foreign, as keepalived's are.
    """
    files = {name: text for name, text in wanted["files"].items() if current["files"].get(name) != text}
    files.update({name: None for name in current["files"] if name not in wanted["files"]})
    links = {name: link for name, link in wanted["links"].items() if current["links"].get(name) != link}
    links.update({name: None for name in current["links"] if name not in wanted["links"] and _is_made(name, current)})
    tunnels = {name: tunnel for name, tunnel in wanted["tunnels"].items() if current["tunnels"].get(name) != tunnel}
    tunnels.update({name: None for name in current["tunnels"] if name not in wanted["tunnels"]})
    changes = {
        "files": dict(sorted(files.items())),
        "in_force": not current["in_force"],
        "links": dict(sorted(links.items())),
        "vlans": {name: vlans for name, vlans in wanted["vlans"].items() if current["vlans"].get(name, []) != vlans},
        "tunnels": dict(sorted(tunnels.items())),
        "addresses": {
            name: addresses
            for name, addresses in wanted["addresses"].items()
            if not set(addresses) <= set(current["addresses"].get(name, []))
        },
        "routes": {
            destination: gateway
            for destination, gateway in wanted["routes"].items()
            if current["routes"].get(destination) != gateway
        },
    }
    return {key: value for key, value in changes.items() if value}


def segments(current: State) -> dict[str, dict[str, Any]]:
    """Give the segments that are there: `{name: {vlan, on, description, occupants}}`, each `on` a bond or a bridge."""
    return {
        link["master"]: {
            "vlan": link["vlan"],
            "on": link["over"],
            "description": _description(current["files"].get(f"{PREFIX}{link['master']}.netdev", "")),
            "occupants": current["occupants"].get(link["master"], []),
        }
        for name, link in current["links"].items()
        if link["kind"] == "vlan" and link["master"] and _is_made(name, current)
    }


def is_trunk(link: dict[str, Any]) -> bool:
    """Tell whether a link is a VLAN-aware bridge."""
    return bool(link.get("linkinfo", {}).get("info_data", {}).get("vlan_filtering"))


def kind_of(link: dict[str, Any]) -> str | None:
    """Name the kind of a link that is no device's own."""
    name: str | None = link.get("linkinfo", {}).get("info_kind")
    return name


def is_isolated(link: dict[str, Any]) -> bool:
    """Tell whether a port of a bridge is isolated from others that are."""
    return bool(link.get("linkinfo", {}).get("info_slave_data", {}).get("isolated"))


def is_flooded(peer: dict[str, Any], tunnel: str) -> bool:
    """Tell whether an entry of a forwarding database is of a tunnel's other end that gets what is for all."""
    return bool(peer["ifname"] == tunnel and peer["mac"] == EVERYBODY and "dst" in peer)


def addresses_of(link: dict[str, Any]) -> list[str]:
    """List those that work: networkd calls a link configured that somebody has set down since."""
    if "UP" not in link["flags"]:
        return []
    return sorted(f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["family"] == "inet")


def apply(changes: dict[str, Any]) -> None:
    """Write and remove files, delete links that have to go, and let networkd make the rest.

    A link goes before its file does: until it is gone the file says that it is podwright's.
    """
    if not changes:
        return
    with change_marker.under_way(_PART):
        current = read()
        if gone := to_delete(changes, current):
            services.run("networkctl", "delete", *gone)
        left = read()
        _take_off_vlans(changes.get("vlans", {}), left)
        _take_off_peers(changes.get("tunnels", {}), left)
        managed_files.write({f"{DIRECTORY}/{name}": text for name, text in changes.get("files", {}).items()})
        _bring_in_force(changes, current)


def to_delete(changes: dict[str, Any], current: State) -> list[str]:
    """Name the live links that have to be deleted for `changes`.

    Those on a bond or bridge that goes, too, are not among them: the kernel takes them away with it, and networkctl,
    which deletes in any order, fails for a link that is no more.
    """
    gone = [
        name
        for part, fixed in (("links", ("kind", "vlan", "over")), ("tunnels", ("vni", "local")))
        for name, wanted in changes.get(part, {}).items()
        if _must_go(current[part].get(name), wanted, fixed)
    ]
    return [name for name in gone if current["links"].get(name, {}).get("over") not in gone]


def _bring_in_force(changes: dict[str, Any], current: State) -> None:
    if _has_lost_master(changes, current):
        services.run("systemctl", "restart", UNIT)
        return
    services.run("networkctl", "reload")
    incomplete = _incomplete(changes, read())
    if incomplete:
        services.run("networkctl", "reconfigure", *incomplete)


def _link(link: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of(link)
    is_vlan = kind == "vlan"
    return {
        "kind": kind if kind in ("bond", "bridge", "vlan") else None,
        "vlan": link["linkinfo"]["info_data"]["id"] if is_vlan else None,
        "over": link.get("link") if is_vlan else None,
        "master": link.get("master"),
        **_isolation(link),
    }


def _isolation(link: dict[str, Any]) -> dict[str, bool]:
    return ISOLATED if is_isolated(link) else {}


def _tunnel(link: dict[str, Any], peers: list[dict[str, Any]], named: set[str]) -> dict[str, Any]:
    data = link["linkinfo"]["info_data"]
    master = link.get("master")
    return {
        "vni": data["id"],
        "local": data.get("local"),
        "remotes": sorted(peer["dst"] for peer in peers if is_flooded(peer, link["ifname"])),
        # Open vSwitch has another word for where its ports are.
        "bridge": master if master in named else None,
        **_isolation(link),
    }


def _vlans(port: dict[str, Any]) -> list[str]:
    """Write a port's VLANs as their numbers, with the flags of those that are not just tagged."""
    return [" ".join([str(entry["vlan"]), *entry.get("flags", [])]) for entry in port["vlans"]]


def _destination(route: dict[str, Any]) -> str:
    """Write a destination as podwright does; iproute2 has `default`, and no length for a single address."""
    destination = str(route["dst"])
    if destination == "default":
        return "0.0.0.0/0"
    return destination if "/" in destination else f"{destination}/32"


def _occupants(bridge: str, links: list[dict[str, Any]], named: set[str]) -> list[str]:
    return sorted(link["ifname"] for link in links if link.get("master") == bridge and link["ifname"] not in named)


def _is_made(name: str, state: State) -> bool:
    return f"{PREFIX}{name}.netdev" in state["files"]


def _description(netdev: str) -> str:
    return next((line.partition("=")[2] for line in netdev.splitlines() if line.startswith("Description=")), "")


def _must_go(current: dict[str, Any] | None, wanted: dict[str, Any] | None, fixed: tuple[str, ...]) -> bool:
    """Tell whether a live link has to be deleted: for good, or because networkd never changes what is `fixed`."""
    if current is None:
        return False
    return wanted is None or any(current[key] != wanted[key] for key in fixed)


def _has_lost_master(changes: dict[str, Any], current: State) -> bool:
    """Tell whether someone took a link out of its bridge or bond; networkd 252 does not notice until it starts anew."""
    return any(
        link
        and name in current[part]
        and current[part][name][master] != link[master]
        and f"{PREFIX}{name}.network" not in changes.get("files", {})
        for part, master in (("links", "master"), ("tunnels", "bridge"))
        for name, link in changes.get(part, {}).items()
    )


def _take_off_vlans(wanted: dict[str, list[str]], current: State) -> None:
    """Take VLANs off that a port should not carry; networkd 252 only ever adds them."""
    for port, vlans in wanted.items():
        for entry in current["vlans"].get(port, []):
            if entry not in vlans:
                # A bridge has a table of its own, apart from those of its ports.
                own = ["self"] if current["links"][port]["kind"] == "bridge" else []
                services.run("bridge", "vlan", "del", "dev", port, "vid", entry.split()[0], *own)


def _take_off_peers(wanted: dict[str, dict[str, Any] | None], current: State) -> None:
    """Take other ends off that a tunnel should not have; networkd 252 only ever adds them."""
    for name, tunnel in wanted.items():
        there = current["tunnels"].get(name, {"remotes": []})["remotes"]
        for remote in set(there) - set(tunnel["remotes"] if tunnel else ()):
            services.run("bridge", "fdb", "del", EVERYBODY, "dev", name, "dst", remote, "self")


def _incomplete(changes: dict[str, Any], current: State) -> list[str]:
    """Name the interfaces to set up again: those that still lack what `changes` wants of them."""
    wanted = {name: link for name, link in changes.get("links", {}).items() if link}
    links = {name: link for name, link in wanted.items() if current["links"].get(name) != link}
    parents = {link["over"] for link in links.values() if link["over"]}
    vlans = {name for name, vlans in changes.get("vlans", {}).items() if current["vlans"].get(name, []) != vlans}
    tunnels = {name for name, tunnel in changes.get("tunnels", {}).items() if current["tunnels"].get(name) != tunnel}
    names = {*links, *parents, *vlans, *tunnels, *changes.get("addresses", {})}
    if changes.get("routes"):
        names |= set(current["addresses"])
    return sorted(names & (current["links"].keys() | current["tunnels"].keys()))
