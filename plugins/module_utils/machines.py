"""The machines of a hypervisor: its libvirt domains, what differs from what they should be, and the change.

Only domains that carry podwright's mark count; all others are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain, machine_starter, plugs, services
from ansible_collections.podwright.cloud.plugins.module_utils.boot_files import Files
from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError
from ansible_collections.podwright.cloud.plugins.module_utils.libvirt_domain import BootFiles, Machine

_POLL_S = 0.1

State = dict[str, Any]
"""{domain: a machine of docs/desired-state.md, and
- `definition`: the digest of what only a new start brings about,
- `limits`: those in effect, {disk: iops, NIC: Mbit/s},
- `plugged`: where its NICs are while it runs, {the host's end: bridge},
- `autostart` and `running`}"""


class Survey(NamedTuple):
    """What is defined on a host."""

    state: State
    """Podwright's domains."""
    started_from: dict[str, str]
    """{running domain of podwright: the digest that it was started from}"""
    foreign: frozenset[str]
    """The names of all other domains."""


def connect() -> Any:
    """A connection to this host's libvirt, which says what is wrong in exceptions only.

    Raises:
        DeviceError: There is no libvirt, or it does not answer.
    """
    try:
        import libvirt
    except ImportError as error:
        raise DeviceError("this host lacks the Python library of libvirt; install python3-libvirt") from error
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        return libvirt.open(machine_starter.URI)
    except libvirt.libvirtError as error:
        raise DeviceError(f"{machine_starter.URI}: {error}; see that libvirtd runs") from error


def read(connection: Any, role: str | None) -> Survey:
    """Read all that is defined here; of podwright's, what has `role`, if one is given."""
    state: State = {}
    started_from: dict[str, str] = {}
    foreign: set[str] = set()
    for name, defined, live, autostart in _domains(connection):
        mark = libvirt_domain.mark(defined)
        if mark is None:
            foreign.add(name)
        elif role in (None, mark.get("role")):
            state[name] = describe(defined, live, autostart)
            if live:
                state[name]["plugged"] = plugs.plugged(libvirt_domain.parse_domain(live)["nics"])
                started_from[name] = (libvirt_domain.mark(live) or {}).get("digest", "")
    return Survey(state, started_from, frozenset(foreign))


def running(connection: Any) -> dict[str, str]:
    """Read the NICs of every domain, podwright's and others, as it runs if it does: {name: XML}."""
    return {name: libvirt_domain.nics_alone(live or defined) for name, defined, live, _ in _domains(connection)}


def describe(defined: str, live: str | None, autostart: bool) -> dict[str, Any]:
    """The state of one domain from its XML at rest and, if it runs, as it runs."""
    machine = libvirt_domain.parse_domain(defined)
    in_effect = _limits(libvirt_domain.parse_domain(live or defined))
    return {
        **machine,
        "definition": (libvirt_domain.mark(defined) or {}).get("digest", ""),
        # Not those of a NIC that is not its any more, which a machine may keep until it is restarted.
        "limits": {name: limit for name, limit in in_effect.items() if name in _limits(machine)},
        "plugged": plugs.wanted(machine["nics"]),
        "autostart": autostart,
        "running": live is not None,
    }


def check(machines: dict[str, Machine], survey: Survey, boot_files: Files) -> None:
    """Refuse what cannot be had, before anything is touched.

    Raises:
        DeviceError: A name is taken by a foreign domain, or a machine boots from an image without boot files.
    """
    mistakes = [
        f"machines.{name}: a domain of that name is not podwright's; rename or undefine it (virsh undefine {name})"
        for name in sorted(survey.foreign & set(machines))
    ]
    for name, machine in sorted(machines.items()):
        image = machine["boot"]["image"]
        if image and image not in boot_files:
            mistakes.append(f"machines.{name}.boot.image: {image} is not among the boot files {sorted(boot_files)}")
    if mistakes:
        raise DeviceError("\n".join(mistakes))


def of_role(machines: dict[str, Machine], role: str | None) -> dict[str, Machine]:
    """Pick the machines of a role; all, if none is given."""
    return {name: machine for name, machine in machines.items() if role in (None, machine["role"])}


def wanted(machines: dict[str, Machine], boot_files: Files) -> State:
    """The state that `machines` should be in: defined, running, and started with the host."""
    return {
        name: {
            **machine,
            "definition": libvirt_domain.digest(name, machine, _boot_files(machine, boot_files)),
            "limits": _limits(machine),
            "plugged": plugs.wanted(machine["nics"]),
            "autostart": True,
            "running": True,
        }
        for name, machine in machines.items()
    }


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare: {domain: what to set of its state}, or {domain: None} for one that goes."""
    changes: dict[str, Any] = {name: None for name in current if name not in wanted}
    for name, state in wanted.items():
        there = current.get(name, {})
        differing = {key: value for key, value in state.items() if key not in there or there[key] != value}
        if differing:
            changes[name] = differing
    return dict(sorted(changes.items()))


def restart_needed(survey: Survey, wanted: State) -> list[str]:
    """Pick the machines that run, but were started from another definition than the wanted one."""
    started = survey.started_from.items()
    return sorted(name for name, digest in started if name in wanted and wanted[name]["definition"] != digest)


def rewirable(survey: Survey, machines: dict[str, Machine], boot_files: Files) -> set[str]:
    """Pick the running machines that differ from what they should be in NICs at most, which change as they run."""
    return {
        name
        for name, digest in survey.started_from.items()
        if name in machines
        and digest
        == libvirt_domain.digest(
            name, {**machines[name], "nics": survey.state[name]["nics"]}, _boot_files(machines[name], boot_files)
        )
    }


def apply(
    connection: Any,
    changes: dict[str, Any],
    machines: dict[str, Machine],
    boot_files: Files,
    rewirable: set[str],
    timeout_s: float,
) -> None:
    """Make the changes: first what goes, then what comes. A machine that fails does not keep others from theirs.

    Raises:
        DeviceError: libvirt refused some of it; a line for each machine.
    """
    failures = _remove(connection, [name for name, change in changes.items() if change is None], timeout_s)
    for name, change in changes.items():
        if change is not None:
            machine, files = machines[name], _boot_files(machines[name], boot_files)
            failures += _attempt(name, _bring, connection, name, machine, files, change, timeout_s)
            if name in rewirable and "nics" in change:
                failures += _attempt(name, _note_rewired, connection.lookupByName(name), machine, files)
    if failures:
        raise DeviceError("\n".join(failures))


def _domains(connection: Any) -> Iterator[tuple[str, str, str | None, bool]]:
    """(name, XML at rest, XML as it runs if it does, autostart) of each domain."""
    import libvirt

    for domain in connection.listAllDomains():
        try:
            defined = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            live = domain.XMLDesc() if domain.isActive() else None
            yield domain.name(), defined, live, bool(domain.autostart())
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # else it went while we looked
                raise


def _limits(machine: Machine) -> dict[str, int]:
    disks = {disk["target"]: disk["iops"] for disk in machine["disks"]}
    return {**disks, **{nic["name"]: nic["rate_mbit_s"] for nic in machine["nics"]}}


def _boot_files(machine: Machine, boot_files: Files) -> BootFiles:
    image = machine["boot"]["image"]
    return boot_files[image] if image else {}


def _attempt(name: str, action: Callable[..., None], *arguments: Any) -> list[str]:
    """Do it; what speaks against it, as a list of one or no line."""
    import libvirt

    try:
        action(*arguments)
    except (libvirt.libvirtError, RuntimeError) as error:
        return [f"{name}: {error}"]
    return []


def _remove(connection: Any, names: list[str], shutdown_timeout_s: float) -> list[str]:
    """Ask all to shut down at once, wait, take the power from those that did not, and forget them."""
    failures: list[str] = []
    domains = {name: connection.lookupByName(name) for name in names}
    for domain in domains.values():
        if domain.isActive():
            _attempt(domain.name(), domain.shutdown)  # one that cannot even be asked loses its power below
    deadline = time.monotonic() + shutdown_timeout_s
    while any(domain.isActive() for domain in domains.values()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for name, domain in domains.items():
        failures += _attempt(name, _forget, domain)
    return failures


def _forget(domain: Any) -> None:
    import libvirt

    if domain.isActive():
        domain.destroy()
    _forget_rates(domain)
    domain.undefineFlags(
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    )


def _forget_rates(domain: Any) -> None:
    """Take the limits of a stopped domain's NICs out of Open vSwitch, where libvirt (9.0) leaves them behind."""
    if any(nic["virtualport"] == "openvswitch" for nic in libvirt_domain.parse_domain(domain.XMLDesc())["nics"]):
        for table in ("qos", "queue"):
            condition = f'external_ids:vm-id="{domain.UUIDString()}"'
            rows = services.run("ovs-vsctl", "--bare", "--columns=_uuid", "find", table, condition).split()
            services.run("ovs-vsctl", "--", "--if-exists", "destroy", table, *rows)


def _bring(
    connection: Any, name: str, machine: Machine, boot_files: BootFiles, change: dict[str, Any], timeout_s: float
) -> None:
    """Define, and start what is not running; of a running machine, change what can be changed while it runs."""
    if set(change) - {"limits", "plugged", "autostart", "running"}:
        connection.defineXML(libvirt_domain.domain_xml(name, machine, boot_files))
    domain = connection.lookupByName(name)
    if "autostart" in change:
        domain.setAutostart(1)
    if not domain.isActive():
        domain.create()
        return
    if "plugged" in change:
        plugs.rewire(domain, machine["nics"], timeout_s)
    if "limits" in change:
        _limit(domain, machine)


def _note_rewired(domain: Any, machine: Machine, boot_files: BootFiles) -> None:
    """Say of a machine that runs with its new NICs that it is as if it had been started with them."""
    import libvirt

    if domain.isActive() and plugs.has_just(domain, machine["nics"]):
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT,
            libvirt_domain.mark_xml(domain.name(), machine, boot_files),
            "podwright",
            machine_starter.NAMESPACE,
            libvirt.VIR_DOMAIN_AFFECT_LIVE,
        )


def _limit(domain: Any, machine: Machine) -> None:
    import libvirt

    for disk in machine["disks"]:
        domain.setBlockIoTune(disk["target"], {"total_iops_sec": disk["iops"]}, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    for nic in machine["nics"]:
        limit = {f"inbound.{key}": value for key, value in libvirt_domain.rate(nic["rate_mbit_s"]).items()}
        domain.setInterfaceParameters(nic["mac"], limit, libvirt.VIR_DOMAIN_AFFECT_LIVE)
