"""A machine of a hypervisor's desired state as a libvirt domain, and back (libvirt's formatdomain)."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils.machine_starter import NAMESPACE

Machine = dict[str, Any]
"""A machine as docs/desired-state.md has it."""

BootFiles = dict[str, "str | None"]
"""{kernel: SHA-256, initrd: SHA-256 or None} of a machine's image; empty when it boots from its disk."""

DIRECTORY = "/etc/libvirt/qemu"
"""Where libvirt keeps domains, `<name>.xml` each."""

BOOT_DIRECTORY = PurePosixPath("/var/lib/podwright/boot")

_MARK = f"{{{NAMESPACE}}}machine"
_CREDENTIAL = "io.systemd.credential.binary:"  # systemd(1), SYSTEM CREDENTIALS: the value is in Base64
_ALIAS = "ua-"  # what libvirt wants of aliases that it did not give (formatdomain, "Device aliases")

# libvirt counts 1000 bytes a second (formatnetwork, "Quality of service"): 125 of them are 1 Mbit/s.
_KILOBYTES_PER_MBIT = 125
_BURST_S = 0.1

_AGENT_CHANNELS = 1  # virtio-serial
_PORTS_TO_SPARE = 4

ET.register_namespace("podwright", NAMESPACE)


def domain_xml(name: str, machine: Machine, boot_files: BootFiles) -> str:
    """Write the domain of a machine: the least hardware that it boots with, all of it virtio."""
    return ET.tostring(domain_element(name, machine, boot_files), encoding="unicode")


def domain_element(name: str, machine: Machine, boot_files: BootFiles) -> ET.Element:
    """Make the domain of a machine, with podwright's mark."""
    domain = _domain(name, machine, boot_files)
    devices = domain.find("devices")
    assert devices is not None
    devices.extend(_ports(machine))
    domain.append(_element("metadata", {}, _element(_MARK, _mark_of(name, machine, boot_files))))
    return domain


def nics_alone(xml: str) -> str:
    """Write what a domain is called and its NICs: elsewhere in it may be passwords and credentials."""
    domain = _parse(xml)
    nics = _element("devices", {}, *domain.iterfind("devices/interface"))
    alone = _element("domain", {}, _element("name", text=_text(domain, "name")), nics)
    ET.indent(alone)
    return ET.tostring(alone, encoding="unicode") + "\n"


def nic_xml(nic: dict[str, Any]) -> str:
    """Write a NIC by itself, to plug it into a running machine or out of it."""
    return ET.tostring(_nic(nic), encoding="unicode")


def mark_xml(name: str, machine: Machine, boot_files: BootFiles) -> str:
    """Write podwright's mark by itself, for `virDomainSetMetadata`, which adds the namespace."""
    return ET.tostring(_element("machine", _mark_of(name, machine, boot_files)), encoding="unicode")


def digest(name: str, machine: Machine, boot_files: BootFiles) -> str:
    """Sum up all of a machine that only a new start brings about: its boot files and its domain but the limits.

    A running domain carries the digest that it was started with.
    """
    unlimited = {
        **machine,
        "disks": [{**disk, "iops": 0} for disk in machine["disks"]],
        "nics": [{**nic, "rate_mbit_s": 0} for nic in machine["nics"]],
    }
    total = hashlib.sha256(ET.tostring(_domain(name, unlimited, boot_files)))
    total.update(repr(sorted(boot_files.items())).encode())
    return total.hexdigest()[:16]


def mark(xml: str) -> dict[str, str] | None:
    """Read podwright's mark of a domain, `{account, role, digest}`; None of a foreign one."""
    found = _parse(xml).find(f"metadata/{_MARK}")
    return None if found is None else dict(found.attrib)


def parse_domain(xml: str) -> Machine:
    """Read the machine that a domain of podwright's is, such that `parse_domain(domain_xml(name, m, ...)) == m`.

    What somebody else changed about it is seen, as far as a desired state speaks of it.
    """
    domain = _parse(xml)
    own = domain.find(f"metadata/{_MARK}")
    return {
        "uuid": _text(domain, "uuid"),
        "account": "" if own is None else own.get("account", ""),
        "role": "" if own is None else own.get("role", ""),
        "virtualization": domain.get("type"),
        "vcpus": int(_text(domain, "vcpu") or 1),
        "memory_mib": _kibibytes(domain.find("memory")) // 1024,
        "boot": _parse_boot(domain),
        "disks": [_parse_disk(disk) for disk in domain.iterfind("devices/disk")],
        "nics": [_parse_nic(nic) for nic in domain.iterfind("devices/interface")],
        "credentials": _parse_credentials(domain),
    }


def rate(mbit_s: int) -> dict[str, int]:
    """Write a limit in Mbit/s as libvirt does: `{average, peak, burst}` in kilobytes (a second)."""
    average = mbit_s * _KILOBYTES_PER_MBIT
    return {"average": average, "peak": average, "burst": max(int(average * _BURST_S), 1)}


def _mark_of(name: str, machine: Machine, boot_files: BootFiles) -> dict[str, str]:
    return {"account": machine["account"], "role": machine["role"], "digest": digest(name, machine, boot_files)}


def _ports(machine: Machine) -> list[ET.Element]:
    """PCI Express ports for what the machine has and for NICs to come, which have no other way in while it runs.

    Each takes one device, and libvirt by itself makes one more than it needs (libvirt's pci-hotplug). They are no part
    of the digest: no machine has to be restarted for them.
    """
    count = len(machine["disks"]) + len(machine["nics"]) + _AGENT_CHANNELS + _PORTS_TO_SPARE
    ports = [
        _element("controller", {"type": "pci", "index": str(index), "model": "pcie-root-port"})
        for index in range(1, count + 1)
    ]
    return [_element("controller", {"type": "pci", "index": "0", "model": "pcie-root"}), *ports]


def _domain(name: str, machine: Machine, boot_files: BootFiles) -> ET.Element:
    emulated = machine["virtualization"] == "qemu"
    children = [
        _element("name", text=name),
        _element("uuid", text=machine["uuid"]),
        _element("memory", {"unit": "MiB"}, text=machine["memory_mib"]),
        _element("vcpu", text=machine["vcpus"]),
        _os(machine, boot_files),
        _features(machine["memory_mib"] if emulated else None),
        _processor(emulated),
        _element("clock", {"offset": "utc"}),
        _element("devices", {}, *_devices(name, machine)),
    ]
    if machine["credentials"]:
        children.append(_credentials(machine["credentials"]))
    return _element("domain", {"type": machine["virtualization"]}, *children)


def _os(machine: Machine, boot_files: BootFiles) -> ET.Element:
    boot = machine["boot"]
    children = [_element("type", {"arch": "x86_64", "machine": "q35"}, text="hvm")]
    if boot["image"] is None:
        children.append(_element("boot", {"dev": "hd"}))
    else:
        files = (kind for kind in ("kernel", "initrd") if boot_files[kind])
        children += [_element(kind, text=BOOT_DIRECTORY / boot["image"] / kind) for kind in files]
        children.append(_element("cmdline", text=boot["command_line"]))
    if machine["credentials"]:
        children.append(_element("smbios", {"mode": "sysinfo"}))
    return _element("os", {}, *children)


def _features(emulated_memory_mib: int | None) -> ET.Element:
    """ACPI and APIC; emulated, half as much room for translated code as the machine has memory.

    QEMU would take 1 GiB of the host for each machine. Measured on a Debian that boots in 256 MiB: 15.0 s of
    processor time with 32 MiB, 11.4 s with 128 MiB, and no less with more.
    """
    children = [_element("acpi"), _element("apic")]
    if emulated_memory_mib is not None:
        cache_mib = max(emulated_memory_mib // 2, 32)
        children.append(_element("tcg", {}, _element("tb-cache", {"unit": "MiB"}, text=cache_mib)))
    return _element("features", {}, *children)


def _processor(emulated: bool) -> ET.Element:
    """All that there is; emulated, without the wide vectors, whose emulation is slower than doing without."""
    if not emulated:
        return _element("cpu", {"mode": "host-passthrough"})
    disabled = (_element("feature", {"policy": "disable", "name": name}) for name in ("avx", "avx2"))
    return _element("cpu", {"mode": "maximum"}, *disabled)


def _devices(name: str, machine: Machine) -> list[ET.Element]:
    log = f"/var/log/libvirt/qemu/{name}-console.log"
    agent = _element("target", {"type": "virtio", "name": "org.qemu.guest_agent.0"})
    return [
        *(_disk(disk) for disk in machine["disks"]),
        *(_nic(nic) for nic in machine["nics"]),
        _element("serial", {"type": "file"}, _element("source", {"path": log})),
        _element("channel", {"type": "unix"}, agent),
        _element("controller", {"type": "usb", "model": "none"}),
        _element("memballoon", {"model": "none"}),
    ]


def _disk(disk: dict[str, Any]) -> ET.Element:
    """A raw volume that QEMU itself reaches over NFS; user 0, for exports squash nobody on the storage network."""
    source = {"protocol": disk["protocol"], "name": disk["path"]}
    host = _element("host", {"name": disk["host"]})
    identity = _element("identity", {"user": "0", "group": "0"})
    return _element(
        "disk",
        {"type": "network", "device": "disk"},
        _element("driver", {"name": "qemu", "type": "raw"}),
        _element("source", source, host, identity),
        _element("target", {"dev": disk["target"], "bus": "virtio"}),
        _element("iotune", {}, _element("total_iops_sec", text=disk["iops"])),
    )


def _nic(nic: dict[str, Any]) -> ET.Element:
    """A NIC, limited towards the machine; the other direction would need what not every host can do."""
    children = [
        _element("mac", {"address": nic["mac"]}),
        _element("source", {"bridge": nic["bridge"]}),
        _element("target", {"dev": nic["device"]}),
        _element("model", {"type": "virtio"}),
        _element("rom", {"enabled": "no"}),
        _element("alias", {"name": f"{_ALIAS}{nic['name']}"}),
        _element("bandwidth", {}, _element("inbound", {key: str(n) for key, n in rate(nic["rate_mbit_s"]).items()})),
    ]
    if nic["virtualport"]:
        children += [_element("virtualport", {"type": nic["virtualport"]}), _without_offloads()]
    return _element("interface", {"type": "bridge"}, *children)


def _without_offloads() -> ET.Element:
    """Let the machine do its own checksums and segments: Open vSwitch's netdev datapath does neither for it."""
    common = ("csum", "tso4", "tso6", "ecn", "ufo")
    host = _element("host", dict.fromkeys((*common, "gso"), "off"))
    guest = _element("guest", dict.fromkeys(common, "off"))
    return _element("driver", {"name": "qemu"}, host, guest)


def _credentials(credentials: dict[str, str]) -> ET.Element:
    entries = [
        _element("entry", text=f"{_CREDENTIAL}{name}={base64.b64encode(value.encode()).decode()}")
        for name, value in sorted(credentials.items())
    ]
    return _element("sysinfo", {"type": "smbios"}, _element("oemStrings", {}, *entries))


def _parse_boot(domain: ET.Element) -> dict[str, Any]:
    kernel = _text(domain, "os/kernel")
    return {
        "image": PurePosixPath(kernel).parent.name if kernel else None,
        "command_line": _text(domain, "os/cmdline"),
    }


def _parse_disk(disk: ET.Element) -> dict[str, Any]:
    return {
        "target": _attribute(disk, "target", "dev"),
        "protocol": _attribute(disk, "source", "protocol"),
        "host": _attribute(disk, "source/host", "name"),
        "path": _attribute(disk, "source", "name"),
        "iops": int(_text(disk, "iotune/total_iops_sec") or 0),
    }


def _parse_nic(nic: ET.Element) -> dict[str, Any]:
    return {
        "name": (_attribute(nic, "alias", "name") or "").removeprefix(_ALIAS),
        "device": _attribute(nic, "target", "dev"),
        "mac": _attribute(nic, "mac", "address"),
        "bridge": _attribute(nic, "source", "bridge"),
        "virtualport": _attribute(nic, "virtualport", "type"),
        "rate_mbit_s": int(_attribute(nic, "bandwidth/inbound", "average") or 0) // _KILOBYTES_PER_MBIT,
    }


def _parse_credentials(domain: ET.Element) -> dict[str, str]:
    entries = ((entry.text or "").strip() for entry in domain.iterfind("sysinfo/oemStrings/entry"))
    pairs = (entry.removeprefix(_CREDENTIAL).partition("=") for entry in entries if entry.startswith(_CREDENTIAL))
    return {name: base64.b64decode(value).decode(errors="replace") for name, _, value in pairs}


def _element(tag: str, attributes: dict[str, str] | None = None, *children: ET.Element, text: Any = None) -> ET.Element:
    element = ET.Element(tag, attributes or {})
    element.text = None if text is None else str(text)
    element.extend(children)
    return element


def _parse(xml: str) -> ET.Element:
    return ET.fromstring(xml)  # noqa: S314  (libvirtd wrote it)


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _attribute(element: ET.Element, path: str, name: str) -> str | None:
    found = element.find(path)
    return None if found is None else found.get(name)


def _kibibytes(memory: ET.Element | None) -> int:
    """The size of a `memory` element; libvirt itself always answers in KiB."""
    if memory is None:
        return 0
    return int(memory.text or 0) * {"MiB": 1024, "KiB": 1}[memory.get("unit", "KiB")]
