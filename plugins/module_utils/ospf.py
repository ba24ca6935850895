"""The routes between the zone switches and the firewalls of a zone: OSPFv2 (RFC 2328) with BFD (RFC 5880) by FRR.

All of them are neighbours in the transit network, each of each other (point-to-multipoint, RFC 2328 section 2.1.1: no
designated router whose loss would have to be made good first). No other interface speaks OSPF: networks with hosts are
announced, and a filter says which. Every device announces, and neighbours prefer the one that has the shared addresses;
when BFD misses it they have another way already. Packets are signed (RFC 2328 appendix D.3; FRR 8.4 knows MD5 only)
with a key that is told to nobody: what is compared and shown has other words in its place.

The files are podwright's as a whole where they begin as ours do; FRR of somebody else is left alone.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State

UNIT = "frr.service"
FILE = "/etc/frr/frr.conf"
DAEMONS_FILE = "/etc/frr/daemons"
UNIT_FILE = f"/etc/systemd/system/{UNIT}.d/podwright.conf"
NETWORKD_FILE = "/etc/systemd/networkd.conf.d/50-podwright-ospf.conf"
PREFERENCE_FILE = "/etc/podwright/ospf-preference"
LISTING = "/var/lib/podwright/ospf.listing"
KEY = "routing key"
RUNNING = "running routing"
PREFERENCE = "preferred by neighbours"
TOLD = "FRR was told"

Routing = Mapping[str, Any]
"""{interface, router_id, network, neighbours, announced, accepted, preferred_with, key}"""

ARGUMENTS: dict[str, object] = {
    "interface": {"required": True},
    "router_id": {"required": True},
    "network": {"required": True},
    "neighbours": {"type": "list", "elements": "str", "required": True},
    "announced": {"type": "list", "elements": "str", "required": True},
    "accepted": {"type": "list", "elements": "str", "required": True},
    "preferred_with": {"required": True},
    "key": {"required": True, "no_log": False},
}
"""How a module takes the routing of a device."""

STEPS: Mapping[str, set[str]] = {
    "write routing": {FILE, KEY, DAEMONS_FILE},
    "restart networkd": {NETWORKD_FILE},
    # frr-reload.py names what it takes away on its command lines, and so another key would be told there.
    "start or stop routing": {DAEMONS_FILE, UNIT_FILE, KEY, TOLD, f"unit {UNIT}"},
    "reload routing": {FILE, RUNNING},
    "prefer": {PREFERENCE_FILE, PREFERENCE},
}
"""What a change may take, and of which keys; in the order to do it."""

# Numbers, for not every host has the names (https://www.iana.org/assignments/protocol-numbers).
_PROTOCOL = 89  # OSPF
_BFD_PORT = 3784  # RFC 5881 section 4
_RELOAD = "/usr/lib/frr/frr-reload.py"
_PREFER = ("/bin/sh", PREFERENCE_FILE)
WRITTEN_BY_STEPS = (FILE, DAEMONS_FILE)
"""Files that the steps write and take away: one has the key in it, and FRR stops by what the other says."""

_FILES = (FILE, DAEMONS_FILE, UNIT_FILE, NETWORKD_FILE, PREFERENCE_FILE)
_HEADER = "Written by podwright; a change made here does not last.\n"
_UNTOLD = "(not told)"
_TOLD = re.compile(r"(?<= md5 )\S+")
_METRIC = re.compile(r"^ set metric (\d+)\n", re.MULTILINE)
# A neighbour is gone after three of them (FRR's detect-multiplier).
_BFD_INTERVAL_MS = 100
_HELLO_INTERVAL_S, _DEAD_INTERVAL_S = 1, 4  # where BFD itself fails
_PREFERRED_METRIC, _OTHER_METRIC = 10, 100
_START_TIMEOUT_S = 20
# What zebra, ospfd and bfdd have last of the file.
_LAST_PARTS = ("ip protocol ospf route-map accepted", " match ip address prefix-list announced", "\n profile podwright")


def desired(routing: Routing | None) -> State:
    """Work out all that should be seen of FRR, as a part of a flat state; of the key only whose it is."""
    if routing is None:
        return {}
    return {
        FILE: configuration(routing, _UNTOLD),
        DAEMONS_FILE: _DAEMONS_TEXT,
        UNIT_FILE: f"# {_HEADER}[Service]\nExecStartPost={told(routing)}\n",
        # systemd-networkd takes away what others put in the routing table when it sets up an interface again.
        NETWORKD_FILE: f"# {_HEADER}[Network]\nManageForeignRoutes=no\n",
        PREFERENCE_FILE: _preference(routing),
        KEY: _as_on_controller(routing),
        RUNNING: "as loaded",
        TOLD: "yes",
        PREFERENCE: "as it has the shared addresses",
        f"unit {UNIT}": "enabled active",
    }


def read(routing: Routing | None, key: str | None, was_told: bool) -> State:
    """Read what there is of FRR; nothing of one that is not ours.

    Args:
        routing: What is wanted.
        key: The key of the controller.
        was_told: Whether no run ended between writing the files and telling FRR.

    Raises:
        RuntimeError: A program failed.
    """
    files = {path: text for path, text in managed_files.read(_FILES).items() if text and _HEADER in text}
    if not files and routing is None:
        return {}
    running = _running()
    seen: State = {
        **files,
        KEY: _key_seen(files.get(FILE), routing, key),
        RUNNING: _as_loaded(running),
        TOLD: "yes" if was_told else "perhaps not",
        PREFERENCE: _preference_seen(running, routing),
        f"unit {UNIT}": services.read([UNIT])[UNIT].standing,
    }
    if FILE in files:
        seen[FILE] = _TOLD.sub(_UNTOLD, files[FILE] or "")
    return seen


def actions(keys: set[str]) -> list[str]:
    """Say what changes of these keys take, in the order to do it."""
    steps = [step for step, causes in STEPS.items() if causes & keys]
    done_by_start = {"reload routing", "prefer"} if "start or stop routing" in steps else set()
    return [step for step in steps if step not in done_by_start]


def told(routing: Routing | None) -> str | None:
    """Name the command for whoever moves the shared addresses."""
    return None if routing is None else " ".join(_PREFER)


def packets(routing: Routing) -> list[str]:
    """Match, for nftables, what neighbours send: OSPF and BFD from the link itself (RFC 5881 section 5)."""
    return [
        f"ip saddr {routing['network']} meta l4proto {_PROTOCOL}",
        f"ip saddr {routing['network']} ip ttl 255 udp dport {_BFD_PORT}",
    ]


def check(differences: Differences) -> None:
    """Let FRR judge its new file.

    Raises:
        RuntimeError: It refuses; the text is what it said.
    """
    if (wanted := differences.get(FILE, (None, None))[1]) is not None:
        if not Path(_RELOAD).exists():
            raise RuntimeError(f"{_RELOAD}: not found; install the Debian packages frr and frr-pythontools")
        with tempfile.NamedTemporaryFile("w", prefix="podwright-") as candidate:
            candidate.write(wanted.replace(_UNTOLD, "0" * 16))
            candidate.flush()
            services.run("vtysh", "--dryrun", "--inputfile", candidate.name)


def take(step: str, routing: Routing | None, key: str | None) -> None:
    """Take one of the steps of `actions`.

    Raises:
        RuntimeError: A program failed, or FRR did not come up.
    """
    if step == "write routing":
        if routing is not None:
            managed_files.write({FILE: configuration(routing, key or "")}, mode=0o600)
            managed_files.write({DAEMONS_FILE: _DAEMONS_TEXT})
    elif step == "restart networkd":
        services.run("systemctl", "try-restart", "systemd-networkd.service")
    elif step == "start or stop routing":
        _start_or_stop(routing)
    elif step == "reload routing":
        services.run(_RELOAD, "--reload", "--stdout", FILE)
        _remember()
        services.run(*_PREFER)
    else:
        services.run(*_PREFER)


IN_FORCE = (f"if grep -qs podwright {FILE}; then systemctl restart {UNIT}; else systemctl disable --now {UNIT}; fi",)
"""How files that were put back come into force."""


def configuration(routing: Routing, key: str) -> str:
    """Write frr.conf, in the order and the words in which FRR shows it."""
    announces = (
        "default-information originate route-map announced"
        if routing["announced"] == ["0.0.0.0/0"]
        else "redistribute connected route-map announced"
    )
    return f"""! {_HEADER}frr defaults traditional
log syslog informational
no ipv6 forwarding
service integrated-vtysh-config
!
interface {routing["interface"]}
 ip ospf area 0
 ip ospf authentication message-digest
 ip ospf bfd
 ip ospf bfd profile podwright
 ip ospf dead-interval {_DEAD_INTERVAL_S}
 ip ospf hello-interval {_HELLO_INTERVAL_S}
 ip ospf message-digest-key 1 md5 {key}
 ip ospf network point-to-multipoint
exit
!
router ospf
 ospf router-id {routing["router_id"]}
 timers throttle spf 0 50 1000
 timers throttle lsa all 100
 timers lsa min-arrival 100
 maximum-paths 1
 {announces}
exit
!
{"".join(_prefix_list("accepted", routing["accepted"]))}!
{"".join(_prefix_list("announced", routing["announced"]))}!
route-map accepted permit 10
 match ip address prefix-list accepted
exit
!
route-map announced permit 10
 match ip address prefix-list announced
 set metric {_OTHER_METRIC}
 set metric-type type-1
exit
!
ip protocol ospf route-map accepted
!
bfd
 profile podwright
  transmit-interval {_BFD_INTERVAL_MS}
  receive-interval {_BFD_INTERVAL_MS}
 exit
 !
exit
!
"""


def astray(routing: Routing | None) -> dict[str, str]:
    """Say which neighbours are not in full exchange with this device, and which routes are not in its kernel."""
    if routing is None:
        return {}
    try:
        neighbours = full_neighbours(services.run("vtysh", "-c", "show ip ospf neighbor json"))
    except RuntimeError as error:
        return {"routing": str(error)}
    missing = {f"neighbour {router}": "is not full" for router in routing["neighbours"] if router not in neighbours}
    for network in routing["accepted"]:
        if not services.run("ip", "-4", "route", "show", "exact", network, "proto", "ospf"):
            missing[f"route to {network}"] = "is not there"
    return missing


def full_neighbours(shown: str) -> set[str]:
    """Find the router ids of those in full exchange in what `show ip ospf neighbor json` prints (RFC 2328 10.1)."""
    return {
        router
        for router, adjacencies in json.loads(shown)["neighbors"].items()
        if any(adjacency["nbrState"].startswith("Full/") for adjacency in adjacencies)
    }


_DAEMONS_TEXT = f"""# {_HEADER}ospfd=yes
bfdd=yes
vtysh_enable=yes
zebra_options="-A 127.0.0.1 -s 90000000"
ospfd_options="-A 127.0.0.1"
bfdd_options="-A 127.0.0.1"
staticd_options="-A 127.0.0.1"
"""


def _prefix_list(name: str, networks: Iterable[str]) -> Iterator[str]:
    for number, network in enumerate(networks, start=1):
        yield f"ip prefix-list {name} seq {10 * number} permit {network}\n"


def _preference(routing: Routing) -> str:
    """Write the script that has neighbours prefer this device, if it has the shared addresses.

    Whoever moves them calls it, and FRR when it has started; of two at once, the second sees how it is at last.
    """
    return f"""#!/bin/sh
# {_HEADER}exec 9>/run/podwright-ospf-preference
flock 9
if ip -oneline -4 address show | grep -qF ' {routing["preferred_with"]}/32 '; then
    metric={_PREFERRED_METRIC}
else
    metric={_OTHER_METRIC}
fi
vtysh -c 'configure terminal' -c 'route-map announced permit 10' -c "set metric $metric"
"""


def _as_on_controller(routing: Routing) -> str:
    return f"as on the controller: {routing['key']}"


def _key_seen(text: str | None, routing: Routing | None, key: str | None) -> str | None:
    """What may be told of the key; one that others may read is another one."""
    if text is None:
        return None
    found = _TOLD.search(text)
    is_secret = not Path(FILE).stat().st_mode & 0o007
    return _as_on_controller(routing) if routing and found and found[0] == key and is_secret else "another"


def _running() -> str | None:
    """What FRR does, the key apart; None for one that does not run."""
    try:
        return _TOLD.sub(_UNTOLD, services.run("vtysh", "-c", "show running-config"))
    except RuntimeError:
        return None


def _as_loaded(running: str | None) -> str | None:
    if running is None:
        return None
    listing = _METRIC.sub("", running)
    return "as loaded" if listing == managed_files.read([LISTING])[LISTING] else listing


def _preference_seen(running: str | None, routing: Routing | None) -> str | None:
    metric = _METRIC.search(running or "")
    if metric is None or routing is None:
        return None
    shared = f" {routing['preferred_with']}/32 " in services.run("ip", "-oneline", "-4", "address", "show")
    is_right = int(metric[1]) == (_PREFERRED_METRIC if shared else _OTHER_METRIC)
    return "as it has the shared addresses" if is_right else f"with the metric {metric[1]}"


def _start_or_stop(routing: Routing | None) -> None:
    if routing is None:
        services.run("systemctl", "disable", "--quiet", "--now", UNIT)
        managed_files.write({FILE: None, DAEMONS_FILE: None, LISTING: None})
        return
    services.run("systemctl", "enable", "--quiet", UNIT)
    services.run("systemctl", "restart", UNIT)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not all(part in (_running() or "") for part in _LAST_PARTS):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{UNIT} has not loaded {FILE} after {_START_TIMEOUT_S} s; see its journal there")
        time.sleep(0.2)
    _remember()


def _remember() -> None:
    """Keep how FRR shows what it was told, for it shows that in other words."""
    managed_files.write({LISTING: _METRIC.sub("", _running() or "")})
