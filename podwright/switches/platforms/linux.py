"""A Linux host whose VLAN-filtering bridge is the switch, by iproute2 over SSH, and by a unit of systemd at a restart.

The configuration is what the kernel tells of the ports of `br0`, in the JSON of `ip` and `bridge` (ip-link(8),
bridge(8)), and labels: a bridge has no table of VLANs and no modes of ports, so those and all names are in a file
beside it. The bridge runs no spanning tree: the kernel's own is that of IEEE 802.1D-1998, which has no edge ports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from podwright.errors import DeviceError, PodwrightError, SessionLost
from podwright.switches import queues
from podwright.switches.access import Access
from podwright.switches.queues import TELL
from podwright.switches.ssh_shell import Shell
from podwright.switches.state import (
    Change,
    Port,
    PortForwarding,
    Share,
    SwitchState,
    applied,
    difference,
    range_texts,
    ranges,
)
from podwright.switches.transaction import commit

BRIDGE = "br0"
FLAGS = ["PVID", "Egress Untagged"]
"""Of the VLAN of a port that has no tag there: frames get in by the one, and out by the other."""

REQUIRED = {"vlan_filtering": 1, "vlan_default_pvid": 0, "vlan_protocol": "802.1Q", "stp_state": 0}
"""What the bridge itself has to be: no port is in a VLAN of which nobody said so, and nothing is forwarded untold."""

RUNNING = "/run/podwright-switch"
"""Directory on the device: the labels that are in force, and the scripts of a change."""

STARTUP = "/etc/podwright-switch/startup"
"""The script on the device that makes the switch when it starts."""

PORTS_TIMEOUT_S = 60
"""How long a device that starts may take to have its ports; those that it has are ports then."""

UNIT = "podwright-switch.service"
UNIT_TEXT = f"""\
# Written by podwright; a change made here does not last.
[Unit]
Description=Ports and VLANs of the pod switch
After=systemd-networkd.service
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=force=-force
ExecStart=/bin/sh {STARTUP}

[Install]
WantedBy=multi-user.target
"""

TRIAL = "podwright-trial"
"""Name of the systemd units that take a change back, and in `RUNNING` of the script by which they do."""

LOCK = "/run/lock/podwright-switch"
LOCK_WAIT_S = 2
"""For a connection that has just been closed to give the lock up."""

LOCK_TIMEOUT_S = 300
"""How long a controller that is silent keeps others out."""

CHANGE = "change the configuration"
READ = "read the running configuration"
PORT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,15}")
"""Linux allows 15 characters (netdevice(7)); these have no meaning to networkd or a shell."""

COLLECT = f"""\
if ! [ -d /sys/class/net/{BRIDGE}/bridge ]; then echo null; exit; fi
echo '{{"bridge":'; ip -json -details link show dev {BRIDGE}
echo ',"link":'; ip -json link show master {BRIDGE}
echo ',"vlan":'; bridge -json -compressvlans vlan show
echo ',"state":'; bridge -json link show
echo ',"queues":'
{TELL}echo ',"labels":'
cat {RUNNING}/labels.json 2>/dev/null || echo '{{}}'
echo '}}'
"""

SAVE = f"""\
mkdir -p {STARTUP.rpartition("/")[0]}
cat > {STARTUP}.new <<'END OF FILE'
{{startup}}END OF FILE
sync {STARTUP}.new
mv {STARTUP}.new {STARTUP}
sync {STARTUP.rpartition("/")[0]}
cd /etc/systemd/system
cat > {UNIT}.new <<'END OF FILE'
{UNIT_TEXT}END OF FILE
if cmp -s {UNIT}.new {UNIT} && [ -e multi-user.target.wants/{UNIT} ]; then
  rm {UNIT}.new
else
  sync {UNIT}.new
  mv {UNIT}.new {UNIT}
  systemctl --quiet enable {UNIT}
  sync . multi-user.target.wants
fi
"""

# Whoever takes the script away, to confirm or to follow it, is the only one who has it.
TAKE_BACK = f"mv {RUNNING}/{TRIAL} {RUNNING}/undoing && sh {RUNNING}/undoing"
STOP_TIMER = f"systemctl stop {TRIAL}.timer 2>/dev/null || :"  # it may have gone off
MAKE_BRIDGE = f"have networkd make it by {BRIDGE}.netdev and {BRIDGE}.network, as docs/switches.md shows"


def configuration(state: SwitchState) -> str:
    """What iproute2 tells of such a switch, and the labels, as JSON.

    Raises:
        PodwrightError: the bridge cannot be in that state; all the reasons.
    """
    mistakes = list(_mistakes(state))
    if mistakes:
        raise PodwrightError("\n".join(mistakes))
    ports = sorted((state.ports or {}).items())
    links = [{"ifname": name, "flags": ["UP"] if port.vlans else []} for name, port in ports]
    vlans = [{"ifname": name, "vlans": list(_entries(port))} for name, port in ports if port.vlans]
    shares = [{"ifname": name, **port.share._asdict()} for name, port in ports if port.share]
    return _as_text({"link": links, "vlan": vlans, "share": shares, **_labels(state)})


def parse(text: str) -> SwitchState:
    """The state in such JSON, as `configuration` renders it or a device tells it.

    Raises:
        DeviceError: it is none.
    """
    try:
        tables = json.loads(text)
        carried = {row["ifname"]: _carried(row["vlans"]) for row in tables["vlan"]}
        shares = {row.pop("ifname"): Share(**row) for row in tables.get("share", ())}
        labels = {row["ifname"]: row for row in tables.get("port_labels", ())}
        return SwitchState(
            vlans={int(row["vlan"]): str(row["name"]) for row in tables.get("vlan_names", ())},
            ports={
                name: _port(row, carried.get(name, _NOTHING), shares.get(name), labels.get(name, {}))
                for row in tables["link"]
                for name in [row["ifname"]]
            },
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeviceError(
            f"what should be the JSON of ip and bridge is not: {type(error).__name__}: {error}"
        ) from error


def commands(change: Change, before: SwitchState) -> str:
    """The shell script that makes a change of what a switch is `before` it.

    Ports that close do so first, and those that open do so last, once they carry what they shall and nothing else.
    """
    closing: list[str] = []
    carrying: list[str] = []
    queueing: list[str] = []
    opening: list[str] = []
    for name, port in change.ports.items():
        old = (before.ports or {}).get(name)
        queueing += queues.lines(name, old.share if old else None, port.share if port else None)
        if port is None:
            closing.append(f"link set dev {name} down nomaster addrgenmode eui64")
            continue
        if old is None or not port.vlans:
            # A port is no host: it needs no address of its own, not even one of IPv6 for its link.
            closing.append(f"link set dev {name} down" + (f" master {BRIDGE} addrgenmode none" if old is None else ""))
        carrying += _memberships(name, old, port)
        if port.vlans and (old is None or not old.vlans):
            opening.append(f"link set dev {name} up")
    script = [*_batch("ip", closing), *_batch("bridge", carrying), *_batch("tc", queueing), *_batch("ip", opening)]
    labels = _as_text(_labels(applied(change, before)))
    if labels != _as_text(_labels(before)):
        script += [f"mkdir -p {RUNNING}", f"cat > {RUNNING}/labels.json <<'END'", labels + "END"]
    return "".join(f"{line}\n" for line in script)


def startup(state: SwitchState) -> str:
    """The script that makes such a switch when the device starts, once the ports are there (udevadm(8), `wait`)."""
    nothing = SwitchState({}, {})
    links = " ".join(f"/sys/class/net/{name}" for name in (BRIDGE, *sorted(state.ports or {})))
    return f"udevadm wait --timeout={PORTS_TIMEOUT_S} {links}\n{commands(difference(nothing, state), nothing)}"


def _mistakes(state: SwitchState) -> Iterator[str]:
    if state.priority is not None:
        yield f"spanning_tree.priority: {state.priority}, and the bridge runs no spanning tree; leave it out"
    for name, port in (state.ports or {}).items():
        if not PORT_NAME.fullmatch(name) or name == BRIDGE:
            yield f"ports.{name}: not the name of a port; write it as the switch does, in 15 characters at most: swp1"
        if port.edge or port.path_cost is not None:
            yield f"ports.{name}: edge or path_cost, and the bridge runs no spanning tree; leave them out"


def _labels(state: SwitchState) -> dict[str, Any]:
    """What the bridge does not keep itself."""
    ports = sorted((state.ports or {}).items())
    return {
        "port_labels": [{"ifname": name, "mode": port.mode, "description": port.description} for name, port in ports],
        "vlan_names": [{"vlan": vlan, "name": name} for vlan, name in sorted((state.vlans or {}).items())],
    }


def _as_text(tables: Mapping[str, Iterable[Any]]) -> str:
    """JSON with a line for each row."""
    texts = []
    for name, rows in tables.items():
        lines = ",\n".join(f"    {json.dumps(row, sort_keys=True)}" for row in rows)
        texts.append(f'  "{name}": [\n{lines}\n  ]' if lines else f'  "{name}": []')
    return "{\n" + ",\n".join(texts) + "\n}\n"


def _entries(port: Port) -> Iterator[dict[str, Any]]:
    """The VLANs of a port as bridge(8) tells them, as ranges."""
    entries: list[dict[str, Any]] = [
        {"vlan": first} if first == last else {"vlan": first, "vlanEnd": last} for first, last in ranges(port.tagged)
    ]
    entries += [{"vlan": vlan, "flags": FLAGS} for vlan in _untagged(port)]
    yield from sorted(entries, key=lambda entry: int(entry["vlan"]))


def _untagged(port: Port) -> list[int]:
    return [] if port.untagged is None else [port.untagged]


_NOTHING: tuple[frozenset[int], int | None] = (frozenset(), None)


def _carried(entries: Iterable[Mapping[str, Any]]) -> tuple[frozenset[int], int | None]:
    """(tagged VLANs, untagged VLAN) of a port.

    A VLAN that has one of the flags alone passes without a tag one way, and with it the other. No state that is
    rendered has such; so that it differs from all of those, the untagged VLAN is among the tagged ones then.
    """
    members = {
        vlan: set(entry.get("flags", ())) & {*FLAGS}
        for entry in entries
        for vlan in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)
    }
    untagged = next((vlan for vlan, flags in members.items() if len(flags) == len(FLAGS)), None)
    half = [vlan for vlan, flags in members.items() if flags and vlan != untagged]
    tagged = members.keys() - {untagged}
    if half:
        untagged = half[0] if untagged is None else untagged
        tagged = tagged | {untagged}
    return frozenset(tagged), untagged


def _port(
    link: Mapping[str, Any],
    carried: tuple[frozenset[int], int | None],
    share: Share | None,
    label: Mapping[str, Any],
) -> Port:
    """A port; one that is down carries nothing."""
    tagged, untagged = carried if "UP" in link["flags"] else _NOTHING
    by_vlans = "access" if untagged is not None else "trunk"
    return Port(
        mode="access" if not tagged and label.get("mode", by_vlans) == "access" else "trunk",
        tagged=tagged,
        untagged=untagged,
        description=str(label.get("description", "")),
        share=share,
    )


def _memberships(name: str, old: Port | None, new: Port) -> Iterator[str]:
    """What bridge(8) is told of a port's VLANs; one that was closed may have some from before."""
    tagged, untagged = (frozenset[int](), None) if old is None else (old.tagged, old.untagged)
    if old is not None and (not old.vlans or untagged in tagged):
        yield f"vlan del dev {name} vid 1-4094"
        tagged, untagged = frozenset(), None
    gone = (tagged | {untagged}) - new.vlans - {None}
    yield from (f"vlan del dev {name} vid {vlans}" for vlans in range_texts((vlan for vlan in gone if vlan), "-"))
    yield from (f"vlan add dev {name} vid {vlans}" for vlans in range_texts(new.tagged - tagged, "-"))
    if new.untagged is not None and new.untagged != untagged:
        yield f"vlan add dev {name} vid {new.untagged} pvid untagged"


def _batch(program: str, lines: list[str]) -> list[str]:
    """A call of ip(8), bridge(8) or tc(8) that follows lines; with $force, also past those that fail."""
    return [f"{program} ${{force-}} -batch - <<'END'", *lines, "END"] if lines else []


class Driver:
    """A switch of this platform, which is also the `Trial` of a change to it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._shell = Shell(access)
        self._after = SwitchState()
        self._undo = ""

    @property
    def access(self) -> Access:
        """The device."""
        return self._access

    def read(self) -> SwitchState:
        """What the kernel says."""
        return parse(self.collect())

    def collect(self) -> str:
        """What the kernel says of the bridge's ports, and the labels, as JSON."""
        told = self._told()
        links = [{"ifname": row["ifname"], "flags": [*({"UP"} & {*row["flags"]})]} for row in told["link"]]
        names = {row["ifname"] for row in links}
        vlans = [row for row in told["vlan"] if row["ifname"] in names]
        labels = {name: told["labels"].get(name, []) for name in ("port_labels", "vlan_names")}
        shares = [{"ifname": row["ifname"], **queues.share_of(row)._asdict()} for row in told["queues"]]
        shares = [row for row in shares if row["ifname"] in names]
        return _as_text({"link": links, "vlan": vlans, "share": shares, **labels})

    def forwarding(self) -> dict[str, PortForwarding]:
        """What the ports do."""
        told = self._told()
        carried = {row["ifname"]: _carried(row["vlans"]) for row in told["vlan"]}
        states = {row["ifname"]: row["state"] for row in told["state"]}
        ports = {}
        for row in told["link"]:
            name, is_open = row["ifname"], "UP" in row["flags"]
            tagged, untagged = carried.get(name, _NOTHING) if is_open else _NOTHING
            ports[name] = PortForwarding(tagged, untagged, "LOWER_UP" in row["flags"], states.get(name, "disabled"))
        return ports

    def render(self, change: Change, before: SwitchState) -> str:
        """The shell script that makes the change."""
        return commands(change, before)

    def apply(self, change: Change, before: SwitchState) -> None:
        """Try a change, and make it stay."""
        after = applied(change, before)
        configuration(after)  # refuses what the bridge cannot be
        self._refuse_unfit_ports(change.ports.keys() - (before.ports or {}).keys())
        self._after, self._undo = after, commands(difference(after, before), after)
        commit(self, commands(change, before), self.read, after)

    def close(self) -> None:
        """Log out."""
        self._shell.close()

    def lock(self) -> None:
        """Keep other controllers out while the connection lasts; refuse while a change waits for its confirmation."""
        held = f"[ ! -e {RUNNING}/{TRIAL} ] || exit; echo held; exec timeout {LOCK_TIMEOUT_S} cat"
        locked = ["sudo", "-n", "flock", "--timeout", str(LOCK_WAIT_S), LOCK, "sh", "-c", held]
        if not self._shell.hold(locked, CHANGE):
            raise DeviceError(
                f"{self._access.where}: another controller holds the lock {LOCK}, or its change is on trial and not "
                "confirmed, which the device takes back within a minute; wait until whoever deploys there is done, and "
                "deploy again"
            )

    def stage(self, payload: str) -> None:
        """Copy the scripts to the switch that make the change, and that take it back."""
        scripts = {"do": payload, "undo": self._undo}
        copied = [f"cat > {RUNNING}/{name} <<'END OF FILE'\n{text}END OF FILE" for name, text in scripts.items()]
        self._run("\n".join([f"mkdir -p {RUNNING}", *copied]), CHANGE)

    def commit_on_trial(self, timeout_s: int) -> None:
        """Make the change after starting the timer; go back at once when it is refused midway."""
        timer = f"systemd-run --quiet --collect --unit={TRIAL} --on-active={timeout_s}s"
        script = [
            f"{timer} --timer-property=AccuracySec=100ms --setenv=force=-force sh -c '{TAKE_BACK}'",
            f"mv {RUNNING}/undo {RUNNING}/{TRIAL}",
            # All that the programs say in one line, for messages have one.
            f"if ! sh -e {RUNNING}/do 2> {RUNNING}/said; then paste -sd ' ' {RUNNING}/said >&2; exit 1; fi",
        ]
        try:
            self._run("\n".join(script), CHANGE)
        except SessionLost:
            raise
        except DeviceError:
            self.take_back()
            raise

    def probe(self) -> None:
        """Log in over another connection, and out again."""
        self._shell.probe()

    def confirm(self) -> None:
        """Take the script away by which the change would be taken back; it is gone once that has begun."""
        self._run(f"mv {RUNNING}/{TRIAL} {RUNNING}/confirmed\n{STOP_TIMER}", "confirm the change")

    def save(self) -> None:
        """Write what the device makes the switch of when it starts."""
        self._run(
            SAVE.format(startup=startup(self._after)), "save the change, which is in force until the switch restarts"
        )

    def take_back(self) -> None:
        """Follow the script that takes the change back, unless the timer has done so."""
        self._run(
            f"export force=-force\nif [ -e {RUNNING}/{TRIAL} ]; then {TAKE_BACK}; fi\n{STOP_TIMER}",
            "take the change back",
        )

    def discard(self) -> None:
        """Forget the scripts."""
        self._undo = ""

    def unlock(self) -> None:
        """Let other controllers in."""
        self._shell.release()

    def abandon(self) -> None:
        """Close the connection, and so unlock: the timer goes on."""
        self._shell.close()

    def _told(self) -> Mapping[str, Any]:
        """What the device tells of the bridge, which is fit to be a switch."""
        text = self._run(COLLECT, READ)
        try:
            told: Any = json.loads(text)
        except ValueError as error:
            raise DeviceError(f"{self._access.where}: cannot {READ}: ip and bridge print no JSON: {error}") from error
        if told is None:
            raise DeviceError(f"{self._access.where}: the host has no bridge {BRIDGE}; {MAKE_BRIDGE}")
        bridge = told["bridge"][0]
        has = bridge["linkinfo"]["info_data"]
        odd = [f"{key} is {has.get(key)}, expected {value}" for key, value in REQUIRED.items() if has.get(key) != value]
        if "UP" not in bridge["flags"]:
            odd.append("it is down, expected up")
        if odd:
            raise DeviceError(f"{self._access.where}: {BRIDGE} is no such switch: {'; '.join(odd)}; {MAKE_BRIDGE}")
        assert isinstance(told, dict)
        return told

    def _refuse_unfit_ports(self, names: Collection[str]) -> None:
        """Refuse to make a port of an interface that is not there, or that is something else."""
        there = {row["ifname"]: row for row in json.loads(self._run("ip -json address show", READ))} if names else {}
        mistakes = []
        for name in sorted(names):
            found = there.get(name)
            if found is None:
                has = ", ".join(sorted(there.keys() - {"lo", BRIDGE}))
                mistakes.append(f"ports.{name}: the switch has no such port; it has {has}")
                continue
            addresses = [f"the address {one['local']}" for one in found["addr_info"] if one["scope"] == "global"]
            uses = [*([f"the bridge or bond {found['master']}"] if "master" in found else []), *addresses]
            if uses:
                mistakes.append(f"ports.{name}: on the switch it has {', '.join(uses)}; take that away there first")
        if mistakes:
            raise DeviceError("\n".join(f"{self._access.where}: {mistake}" for mistake in mistakes))

    def _run(self, script: str, intent: str) -> str:
        """What a shell script prints, which runs as root."""
        return self._shell.run(["sudo", "-n", "sh", "-eu"], intent, script + "\n")
