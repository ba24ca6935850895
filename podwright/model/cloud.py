"""The cloud as declared: frozen, typed, and nothing derived from a device.

`Cloud` is what `inventories/<cloud>/cloud.yml` says, key for key. Addresses and
networks are `ipaddress` objects; names are plain strings and are the keys of
the mappings that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from podwright.model.fields import AddressRange, Cable, Name, VlanId, VlanRange

NetworkBackend = Literal["linux", "openvswitch"]
Datapath = Literal["netdev", "system"]
Positive = Annotated[int, Field(strict=True, ge=1)]


class Declared(BaseModel):
    """Whatever an operator declares: immutable, and no key that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Image(Declared):
    """A disk that machines start from; with `kernel`, booted directly (no boot loader)."""

    disk: Path
    kernel: Path | None = None
    initrd: Path | None = None
    command_line: str = ""


class Offering(Declared):
    """A named size and its limits."""

    vcpus: Positive
    memory_mib: Positive
    disk_gib: Positive
    network_mbit_s: Positive
    storage_iops: Positive


class DataCenter(Declared):
    """A building."""

    description: str = ""


class Network(Declared):
    """An infrastructure network of a pod: a VLAN with a subnet.

    The zone switches answer for `gateway` (VRRP) and own the addresses right
    above it, in the order of their names. Leases come from `lease_range`.
    """

    vlan: VlanId
    subnet: IPv4Network
    gateway: IPv4Address | None = None
    lease_range: AddressRange | None = None


class PodNetworks(Declared):
    """The infrastructure networks that every pod has."""

    management: Network
    storage: Network
    public: Network


class ManagedDevice(Declared):
    """A device that the controller logs in to."""

    management_address: IPv4Address


class LinuxDevice(ManagedDevice):
    """A device that runs Linux; `datapath` counts for Open vSwitch only."""

    network_backend: NetworkBackend = "linux"
    datapath: Datapath = "system"


class ZoneSwitch(LinuxDevice):
    """One of the L3 pair that joins the pods of a zone."""


class PodSwitch(ManagedDevice):
    """One of the L2 pair of a pod; `platform` names its driver."""

    platform: str
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 830


class StorageServer(LinuxDevice):
    """Primary storage of a pod: an NFS export on the storage network."""

    storage_address: IPv4Address
    export: Path
    capacity_gib: Positive


class Hypervisor(LinuxDevice):
    """A computing server and what it can hold."""

    storage_address: IPv4Address
    vcpus: Positive
    memory_mib: Positive
    virtualization: Literal["kvm", "qemu"] = "kvm"


class Pod(Declared):
    """Hosts and storage behind one layer of pod switches."""

    guest_vlans: tuple[VlanRange, ...]
    networks: PodNetworks
    pod_switches: Mapping[Name, PodSwitch]
    storage_servers: Mapping[Name, StorageServer]
    hypervisors: Mapping[Name, Hypervisor]


class Upstream(Declared):
    """The provider's network: `address` is ours (VRRP), `gateway` the provider's."""

    network: IPv4Network
    gateway: IPv4Address
    address: IPv4Address


class ApplianceShape(Declared):
    """What the routing appliances of a zone are made of."""

    image: Name
    offering: Name


class Zone(Declared):
    """Physically isolated from other zones; private addresses may repeat between zones."""

    data_center: Name
    management_network: IPv4Network
    guest_subnets: IPv4Network | None = None
    routing_appliance: ApplianceShape
    upstream: Upstream
    zone_switches: Mapping[Name, ZoneSwitch]
    pods: Mapping[Name, Pod]
    cables: tuple[Cable, ...]


class GuestNetwork(Declared):
    """An account's private network in one pod of a zone.

    `subnet: auto` takes one from the zone's `guest_subnets`, for accounts that
    want addresses no other account has. `pod` may be left out where the zone
    has only one.
    """

    zone: Name
    pod: Name | None = None
    subnet: IPv4Network | Literal["auto"] = IPv4Network("10.1.1.0/24")


class Machine(Declared):
    """A customer's VM; machines of one `anti_affinity` never share a hypervisor."""

    guest_network: Name
    image: Name
    offering: Name
    anti_affinity: Name | None = None
    hypervisor: Name | None = None


class Account(Declared):
    """A customer."""

    guest_networks: Mapping[Name, GuestNetwork] = {}
    machines: Mapping[Name, Machine] = {}


class Cloud(Declared):
    """One inventory: everything that a controller looks after."""

    name: Name
    domain: str
    administrator_key_file: Path
    administrator_keys: tuple[str, ...] = ()
    state_directory: Path
    database: str
    quarantine_hours: Annotated[int, Field(strict=True, ge=0)] = 24
    images: Mapping[Name, Image]
    offerings: Mapping[Name, Offering]
    data_centers: Mapping[Name, DataCenter]
    zones: Mapping[Name, Zone]
    accounts: Mapping[Name, Account] = {}
