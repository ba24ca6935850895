"""The cloud as declared: frozen, typed, and nothing derived from a device.

`Cloud` is what `inventories/<cloud>/cloud.yml` says, key for key. Addresses and
networks are `ipaddress` objects; names are plain strings and are the keys of
the mappings that hold them. The text under a key is its documentation: it is
shown in docs/inventory.md and to whoever forgets the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from podwright.model.declared import Declared
from podwright.model.devices import LinuxDevice, ManagedDevice
from podwright.model.edge import Firewall, FirewallRule, Transit, TranslatedManagement, Vpn
from podwright.model.fields import (
    Address,
    Addresses,
    AddressRange,
    Cable,
    DatabaseUrl,
    DomainName,
    GuestSubnet,
    Name,
    Network4,
    PortRange,
    Positive,
    PublicKey,
    Reference,
    ServerPath,
    Text,
    Truth,
    VlanId,
    VlanRange,
    VniRange,
    whole_number,
)
from podwright.switches.platforms import default_port, platform_names

if TYPE_CHECKING:
    Platform = str
else:
    Platform = Literal[platform_names()]

AUTO_PREFIX_LENGTH = 24  # of a guest subnet that we choose


class Image(Declared):
    """A disk that machines start from; with `kernel`, booted directly (no boot loader)."""

    disk: Path
    """the file of the disk, raw"""
    kernel: Path | None = None
    """the file of a Linux kernel; without one the disk boots by itself"""
    initrd: Path | None = None
    """the file of the kernel's initial RAM file system"""
    command_line: Text = ""
    """what the kernel is told"""


class Offering(Declared):
    """A named size and its limits."""

    vcpus: Positive
    """the number of virtual processors"""
    memory_mib: Positive
    """the memory in MiB"""
    disk_gib: Positive
    """the size of the disk in GiB"""
    network_mbit_s: Positive
    """the rate limit of each NIC in Mbit/s"""
    storage_iops: Positive
    """the limit of the disk in operations a second"""


class DataCenter(Declared):
    """A building."""

    description: Text = ""
    """what people call it"""


class Network(Declared):
    """An infrastructure network of a pod: a VLAN with a subnet.

    The zone switches answer for `gateway` (VRRP) and own the addresses right
    above it, in the order of their names. Leases come from `lease_range`.
    Management and public networks need both, a tunnel network the gateway only;
    a storage network has neither.
    """

    vlan: VlanId
    """the VLAN id; but for storage, it differs from all those of the other pods of the zone"""
    subnet: Network4
    """the subnet"""
    gateway: Address | None = None
    """the address that the zone switches share"""
    lease_range: AddressRange | None = None
    """the addresses for routing appliances, first and last joined by a hyphen"""


class StorageNetwork(Network):
    """The network between hypervisors and storage servers.

    Where its pod says what its links carry (`link_mbit_s`), it keeps a part of each link that it shares with guests.
    """

    guaranteed_mbit_s: Positive | None = None
    """the Mbit/s that it keeps of such a link; left out, what the pod's storage_iops need, half of the link at most"""
    guaranteed_by: Literal["hypervisors", "hypervisors_and_pod_switches"] = "hypervisors_and_pod_switches"
    """who keeps it for storage: not every platform of pod switches can"""


class PodNetworks(Declared):
    """The infrastructure networks of a pod; tunnel is for zones with guest networks in several pods."""

    management: Network
    """the network by which the controller reaches devices and routing appliances"""
    storage: StorageNetwork
    """the network between hypervisors and storage servers"""
    public: Network
    """the network of public addresses, by which customers reach the outside"""
    tunnel: Network | None = None
    """the network by which its hypervisors reach those of other pods, with guest networks in VXLAN (RFC 7348)"""


class ZoneSwitch(LinuxDevice):
    """One of the L3 pair that joins the pods of a zone."""


class PodSwitch(ManagedDevice):
    """One of an L2 pair: the pod's, or in a pod of several racks that of a rack, or the one that joins the racks."""

    platform: Platform
    """the driver that speaks its language"""
    port: Annotated[int, whole_number(1, 65535)] = default_port("")
    """the TCP port of its management protocol"""
    rack: Name | None = None
    """the rack whose hosts it is for, cabled once to each pod switch without a rack; left out, for the whole pod"""
    carries: Literal["public", "private"] | None = None
    """the pod's `public` network alone, or all others (`private`), in a pod with both kinds; left out, everything"""

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, value: Any) -> Any:
        """The port of the platform's own protocol, where none is declared."""
        if isinstance(value, dict) and isinstance(value.get("platform"), str):
            return {"port": default_port(value["platform"]), **value}
        return value


class StorageServer(LinuxDevice):
    """Primary storage of a pod: an NFS export on the storage network.

    A new disk goes to the server of its pod of which the least share is taken,
    and stays there.
    """

    storage_address: Address
    """the address on the storage network"""
    export: ServerPath
    """the exported directory, an absolute path on the server"""
    capacity_gib: Positive
    """the room for disks in GiB; those of machines that were taken away count until they are removed"""
    storage_iops: Positive | None = None
    """the operations a second that it can promise to all of its disks together; left out, not limited"""
    rack: Reference | None = None
    """the rack that it stands in, one of a pod switch; left out where no pod switch has one"""


class Hypervisor(LinuxDevice):
    """A computing server and what it can hold."""

    storage_address: Address
    """the address on the storage network"""
    tunnel_address: Address | None = None
    """the address on the tunnel network, where its pod has one"""
    vcpus: Positive
    """the number of virtual processors that it can give away"""
    memory_mib: Positive
    """the memory in MiB that it can give away"""
    network_mbit_s: Positive | None = None
    """the Mbit/s that it can promise to all of its NICs together; left out, not limited"""
    storage_iops: Positive | None = None
    """the operations a second that it can promise to all of its disks together; left out, not limited"""
    dedicated_to: Reference | None = None
    """the account whose machines and routing appliances alone run on it; left out, it is for all"""
    virtualization: Literal["kvm", "qemu"] = "kvm"
    """hardware virtualization (kvm) or emulation (qemu)"""
    rack: Reference | None = None
    """the rack that it stands in, one of a pod switch; left out where no pod switch has one"""


class PodLimits(Declared):
    """What all machines and routing appliances of a pod may have together; what is left out is not limited.

    A machine needs what its offering says, and so does a routing appliance; but of
    network_mbit_s, which is the limit of a NIC, each has as many as it has NICs, a
    routing appliance two more than networks. Those that were taken away count until
    a run has seen them gone.
    """

    machines: Positive | None = None
    """the number of machines, routing appliances included"""
    vcpus: Positive | None = None
    """the number of their virtual processors"""
    memory_mib: Positive | None = None
    """their memory in MiB"""
    network_mbit_s: Positive | None = None
    """the Mbit/s of all of their NICs"""
    storage_iops: Positive | None = None
    """the operations a second of all of their disks"""


class PodDedication(Declared):
    """What an account has for itself of a pod's pools; it is given first, and to nobody else.

    When it is used up, or for an account without any, values are those that are
    dedicated to nobody.
    """

    guest_vlans: tuple[VlanRange, ...] = ()
    """VLAN ids of the pod's `guest_vlans`"""
    public_addresses: tuple[Addresses, ...] = ()
    """addresses of the public network's `lease_range`: a list of addresses and ranges"""


class ZoneDedication(Declared):
    """What an account has for itself of a zone's pools; it is given first, and to nobody else."""

    guest_vlans: tuple[VlanRange, ...] = ()
    """VLAN ids of the zone's `guest_vlans`"""
    guest_subnets: tuple[Network4, ...] = ()
    """networks within the zone's `guest_subnets`, which guest networks with `subnet: auto` get a /24 each from"""
    vnis: tuple[VniRange, ...] = ()
    """VNIs of the zone's `vnis`"""


class Pod(Declared):
    """Hosts and storage behind one layer of pod switches."""

    guest_vlans: tuple[VlanRange, ...] | None = None
    """the VLAN ids for guest networks: a list of ids and ranges; left out where the zone has them"""
    networks: PodNetworks
    """the infrastructure networks"""
    link_mbit_s: Annotated[int, whole_number(2)] | None = None
    """what the slowest link between hypervisors and storage servers carries; left out, storage is guaranteed nothing"""
    pod_switches: Mapping[Name, PodSwitch]
    """one pod switch, or a redundant pair; with `rack`, one or two for each rack, and one or two that join them"""
    storage_servers: Mapping[Name, StorageServer]
    """the storage servers, each cabled once to every pod switch that carries storage, of its rack where it has one"""
    hypervisors: Mapping[Name, Hypervisor]
    """the hypervisors, each cabled once to every pod switch, public or private, of its rack where it has one"""
    console_ports: tuple[PortRange, ...] | None = None
    """the TCP ports of consoles, one for each machine and routing appliance of the pod: a list of ports and ranges"""
    limits: PodLimits = PodLimits()
    """what its machines and routing appliances may have together"""
    dedicated: Mapping[Name, PodDedication] = {}
    """what accounts have for themselves, by the name of the account"""


class Upstream(Declared):
    """The provider's network.

    The firewalls that route, or where there are none the zone switches, own the addresses right above `address`, in the
    order of their names.
    """

    network: Network4
    """the subnet"""
    gateway: Address
    """the provider's address"""
    address: Address
    """our address, which they share (VRRP)"""


class ApplianceShape(Declared):
    """What the routing appliances of a zone are made of."""

    image: Reference
    """the name of an image"""
    offering: Reference
    """the name of an offering"""


class Zone(Declared):
    """Physically isolated from other zones; private addresses may repeat between zones.

    With firewalls, cables `upstream` end there, and `management` at a firewall is the zone switches' management network
    and `management:POD` that of a pod.
    """

    data_center: Reference
    """the name of the data center that it stands in"""
    management_network: Network4 = IPv4Network("192.168.0.0/16")
    """the network that holds the management subnets of the pods and the zone switches' management addresses"""
    guest_subnets: Network4 | None = None
    """the network that guest networks with `subnet: auto` get a /24 each from"""
    guest_vlans: tuple[VlanRange, ...] | None = None
    """the VLAN ids for guest networks, each for one network in the whole zone; left out where each pod has its own"""
    vnis: tuple[VniRange, ...] | None = None
    """the VXLAN network identifiers, one for each guest network in the zone: a list of numbers and ranges"""
    routing_appliance: ApplianceShape
    """the image and offering of routing appliances"""
    upstream: Upstream
    """the provider's network"""
    firewalls: Mapping[Name, Firewall] = {}
    """the firewalls, one or a pair; left out, the zone switches are the edge of the zone and filter nothing"""
    firewall_mode: Literal["routed", "transparent"] = "routed"
    """what firewalls are between the provider and the zone switches: routers with addresses (routed), or each a bridge
    before one zone switch that has none (transparent), with the same rules; needs `network_backend: linux`"""
    routing: Literal["static", "ospf"] = "static"
    """how firewalls and zone switches find each other's networks: by shared addresses alone (static), or also by OSPF
    and BFD, by which both of a pair know a way past the other when it dies"""
    transit: Transit | None = None
    """the network between firewalls that route and zone switches"""
    firewall_rules: Mapping[Name, FirewallRule] = {}
    """who may connect through the firewalls"""
    controllers: tuple[Network4, ...] = ()
    """the networks that may log in to the firewalls and pass to management; left out, whoever reaches their eth0"""
    management_reached_through: TranslatedManagement | None = None
    """how controllers reach a management network that other zones have, too; left out, they stand in it"""
    zone_switches: Mapping[Name, ZoneSwitch]
    """the zone switches, usually a pair"""
    pods: Mapping[Name, Pod]
    """the pods"""
    dedicated: Mapping[Name, ZoneDedication] = {}
    """what accounts have for themselves, by the name of the account"""
    cables: tuple[Cable, ...]
    """the cables, each a list of two ends: `device:port`, `upstream`, or `management` (the pod's management network)"""


class GuestNetwork(Declared):
    """An account's private network in a zone: a segment of its own.

    It is in one pod, and in each other pod that a machine of it is in: there it
    has a VLAN id of that pod, and VXLAN joins them all. The account's routing
    appliance in the zone is the gateway of all of its networks there: eth0 is in the
    default one, eth3, eth4, ... are in the others, in the order of their names.
    """

    zone: Reference
    """the name of a zone"""
    pod: Reference | None = None
    """the pod of its routing appliance, and of machines that name no other; may be left out where the zone has one"""
    default: Truth = False
    """whether it is the account's default network; one of those that an account has in a zone is, and an only one is"""
    reaches: tuple[Reference, ...] = ()
    """the account's other networks in the zone that its machines may connect to; left out, none"""
    subnet: GuestSubnet = IPv4Network("10.1.1.0/24")
    """the subnet, also one that other accounts have; `auto` takes one from the zone's `guest_subnets`"""
    reserved: tuple[Addresses, ...] = ()
    """the addresses that no machine gets, such as one that moves between them: a list of addresses and ranges"""


class Machine(Declared):
    """A customer's VM; machines of one `anti_affinity` never share a hypervisor."""

    guest_networks: tuple[Reference, ...]
    """guest networks of the account in one zone, a NIC in each: eth0, which has the default route, eth1, ..."""
    image: Reference
    """the name of an image"""
    offering: Reference
    """the name of an offering"""
    anti_affinity: Name | None = None
    """a name that machines of the account share that must not share a hypervisor"""
    pod: Reference | None = None
    """the pod that it runs in, one of the zone of its guest networks; left out, that of the first one"""
    hypervisor: Reference | None = None
    """the hypervisor that it must run on, not one for another account; left out, one is chosen"""
    addresses: Mapping[Name, Address] = {}
    """its addresses, by guest network, in such as declare their subnets; where one is left out, one is chosen"""


class Account(Declared):
    """A customer."""

    guest_networks: Mapping[Name, GuestNetwork] = {}
    """the private networks"""
    machines: Mapping[Name, Machine] = {}
    """the machines"""


class Cloud(Declared):
    """One inventory: everything that a controller looks after."""

    plugin: Literal["podwright.cloud.podwright"] = "podwright.cloud.podwright"
    """`podwright.cloud.podwright`, by which Ansible knows whose file it is"""
    name: Name
    """the name of the cloud"""
    domain: DomainName
    """the DNS domain that holds the accounts' domains"""
    administrator_key_file: Path
    """the file of the administrator's public keys, one a line, which open the routing appliances"""
    administrator_keys: tuple[PublicKey, ...] = ()
    """public keys of further administrators"""
    state_directory: Path
    """the directory of the database and of the plan; left out, `.podwright` beside cloud.yml"""
    database: DatabaseUrl = Field(repr=False)
    """the database of the leases, `sqlite:////absolute/path` or a server's; left out, leases.db in `state_directory`"""
    quarantine_hours: Annotated[int, whole_number(0)] = 24
    """how long a released value rests before somebody else gets it, in hours"""
    images: Mapping[Name, Image]
    """the images"""
    offerings: Mapping[Name, Offering]
    """the offerings"""
    data_centers: Mapping[Name, DataCenter]
    """the data centers"""
    zones: Mapping[Name, Zone]
    """the zones"""
    accounts: Mapping[Name, Account] = {}
    """the customers"""
    vpns: Mapping[Name, Vpn] = {}
    """the encrypted ways between zones"""
