"""Names of what podwright makes on devices.

Linux allows 15 characters for an interface (IFNAMSIZ in netdevice(7) is 16 with
the final zero). Names are made of what is unique anyway, a VLAN id or a MAC
address, so that they stay short and cannot collide however accounts are called.
"""

from __future__ import annotations

import uuid

# IEEE 802.1Q-2018, 12.10.2.1.3: a VLAN name has up to 32 octets.
_VLAN_NAME_LENGTH = 32

_DISK_SUFFIX = ".raw"


def guest_segment(vlan: int) -> str:
    """The bridge of a guest network: 9 characters at most."""
    return f"guest{vlan}"


def infrastructure_segment(vlan: int) -> str:
    """The bridge of a management or public network: 9 characters at most."""
    return f"infra{vlan}"


def pod_bridge(management_vlan: int) -> str:
    """The bridge of a zone switch for a pod, by whose management VLAN it is known in the zone: 7 characters at most."""
    return f"pod{management_vlan}"


def public_bridge(public_vlan: int) -> str:
    """The one for the pod's public pod switches, where it has such: 10 characters at most."""
    return f"public{public_vlan}"


TRANSIT_BRIDGE = "transit"
"""The bridge of a zone switch for the firewalls."""


def vlan_interface(vlan: int) -> str:
    """The interface of a host in a VLAN: 8 characters at most."""
    return f"vlan{vlan}"


def nic_device(mac: str) -> str:
    """The host's end of a NIC: 11 characters. The first two bytes say only that the address is podwright's."""
    return "pw-" + mac.replace(":", "")[4:]


def guest_vlan(account: str, network: str, vlan: int) -> str:
    """What switches call the VLAN of a guest network: the id marks a name that had to be cut."""
    name = f"{account}-{network}"
    if len(name) <= _VLAN_NAME_LENGTH:
        return name
    return f"{name[: _VLAN_NAME_LENGTH - 5]}-{vlan}"


def volume(domain: str) -> str:
    """The file of a domain's disk."""
    return f"{domain}{_DISK_SUFFIX}"


def domain_of_volume(file: str) -> str:
    """The domain whose disk a file is."""
    return file.removesuffix(_DISK_SUFFIX)


def machine_uuid(cloud: str, cloud_domain: str, domain: str) -> str:
    """The UUID of a domain: the same on every run and on every hypervisor (RFC 9562 section 5.5)."""
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, f"{cloud}.{cloud_domain}"), domain))
