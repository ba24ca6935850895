"""The shape of desired states, as docs/desired-state.md describes them, and their canonical form."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import yaml

# links


class Share(TypedDict):
    """What a VLAN keeps of a link, whatever the others on it send."""

    vlan: int
    guaranteed_mbit_s: int
    link_mbit_s: int


# switch ports


class SpanningTree(TypedDict):
    """A bridge's part in the spanning tree."""

    priority: int


class SwitchPort(TypedDict):
    """A port of a pod switch."""

    description: str
    mode: Literal["access", "trunk"]
    tagged: list[int]
    untagged: int | None
    edge: bool
    path_cost: NotRequired[int]
    share: NotRequired[Share]


class Switch(TypedDict):
    """What a pod switch forwards, and where."""

    spanning_tree: SpanningTree | None
    vlans: dict[int, str]
    ports: dict[str, SwitchPort]


# networks of Linux devices


class Uplinks(TypedDict):
    """An active-backup bond of ports to the pod switches."""

    members: list[str]
    tagged: list[int]
    share: NotRequired[Share]


class Trunk(TypedDict):
    """A port of a zone switch to a pod switch, on the bridge for the pod, or for the fabric where the pod has two."""

    tagged: list[int]
    bridge: str


class Tunnel(TypedDict):
    """Where a segment goes on in other pods."""

    vni: int
    local: str
    remotes: list[str]


class Segment(TypedDict):
    """A bridge of a hypervisor in one VLAN, and in VXLAN where its network is in other pods."""

    vlan: int
    description: str
    tunnel: NotRequired[Tunnel]


class VlanInterface(TypedDict):
    """An interface of a host in one VLAN; with `bridge`, on that one of its bridges."""

    vlan: int
    addresses: list[str]
    description: str
    bridge: NotRequired[str]


class RoutedPort(TypedDict):
    """A port with addresses of its own, in no VLAN."""

    addresses: list[str]
    description: str


class TransparentBridge(TypedDict):
    """The two ports of a bridge that stands in a cable: what comes in by the one leaves by the other, if it may."""

    outside: str
    inside: str


class Route(TypedDict):
    """A way to what is not on a link; of two, the one with the lower metric is taken."""

    destination: str
    gateway: str
    metric: NotRequired[int]


class HostNetwork(TypedDict):
    """All that a Linux device does in networks, its management interface apart."""

    backend: Literal["linux", "openvswitch"]
    datapath: NotRequired[Literal["netdev", "system"]]
    uplinks: Uplinks | None
    public_uplinks: NotRequired[Uplinks]
    trunks: dict[str, Trunk]
    spanning_tree: SpanningTree | None
    segments: dict[str, Segment]
    interfaces: dict[str, VlanInterface]
    routed_ports: dict[str, RoutedPort]
    transparent_bridge: NotRequired[TransparentBridge]
    routes: list[Route]


# zone switches


class Routing(TypedDict):
    """How a device tells its neighbours in the transit network by OSPF whom it leads to, and what it believes them."""

    interface: str
    router_id: str
    network: str
    neighbours: list[str]
    announced: list[str]
    accepted: list[str]
    preferred_with: str
    key: str


class VirtualAddress(TypedDict):
    """An address that zone switches share by VRRP."""

    interface: str
    address: str
    virtual_router_id: int
    priority: int
    advertisement_interval_ms: int


Forwarding = TypedDict("Forwarding", {"from": str, "to": str})


class Gateway(TypedDict):
    """What zone switches answer for and whom they let pass."""

    virtual_addresses: list[VirtualAddress]
    forwarding: list[Forwarding]
    routing: Routing | None


# firewalls


class SharedAddress(VirtualAddress):
    """An address that firewalls share; one that moves alone goes wherever its own interface works."""

    moves_alone: bool


class Pass(TypedDict):
    """Who may connect to whom, or may not; null is any."""

    name: str
    direction: Literal["in", "out"]
    action: Literal["allow", "deny"]
    sources: list[str] | None
    destinations: list[str] | None
    protocol: Literal["icmp", "tcp", "udp"] | None
    ports: list[str]


class Translation(TypedDict):
    """A network and the one that stands for it, address by address."""

    network: str
    reached_through: str


class Management(TypedDict):
    """What controllers, who come in by `interface`, may do; null is whoever comes in there."""

    interface: str
    controllers: list[str] | None
    translation: Translation | None
    ports: dict[str, str]


class Selectors(TypedDict):
    """Networks that talk to each other through a VPN: its traffic selectors (RFC 7296 section 2.9)."""

    local: list[str]
    remote: list[str]


class VpnEnd(TypedDict):
    """A VPN, seen from one of its ends.

    Its traffic is that of `customers`, behind the zone switches, and of `management`: controllers and devices.
    """

    local_address: str
    remote_address: str
    local_id: str
    remote_id: str
    traffic: dict[str, Selectors]


class Neighbourhood(TypedDict):
    """Who is on a link that a transparent firewall stands in, by addresses: the zone switch behind it, and others."""

    network: str
    gateway: str
    shared: str
    behind: str
    beyond: list[str]


class Firewall(TypedDict):
    """What a zone lets pass at its edge."""

    virtual_addresses: list[SharedAddress]
    outside: list[str]
    inside: list[str]
    public_networks: list[str]
    rules: list[Pass]
    management: Management
    vpns: dict[str, VpnEnd]
    routing: Routing | None
    transparent: NotRequired[Neighbourhood]


# storage servers


class StoredImage(TypedDict):
    """A disk image and where the controller has it."""

    source: str


class Volume(TypedDict):
    """A domain's disk."""

    image: str
    size_gib: int


class Storage(TypedDict):
    """Primary storage."""

    address: str
    export: str
    export_id: int
    clients: list[str]
    images: dict[str, StoredImage]
    volumes: dict[str, Volume]


# hypervisors


class BootFiles(TypedDict):
    """A kernel and where the controller has it."""

    kernel: str
    initrd: str | None


class Boot(TypedDict):
    """How a machine starts; without an image, from its disk."""

    image: str | None
    command_line: str


class Disk(TypedDict):
    """A machine's access to its volume."""

    target: str
    protocol: Literal["nfs"]
    host: str
    path: str
    iops: int


class Nic(TypedDict):
    """A NIC, its host's end and its bridge."""

    name: str
    device: str
    mac: str
    bridge: str
    virtualport: Literal["openvswitch"] | None
    rate_mbit_s: int


class Machine(TypedDict):
    """A libvirt domain."""

    uuid: str
    account: str
    role: Literal["machine", "routing_appliance"]
    virtualization: Literal["kvm", "qemu"]
    vcpus: int
    memory_mib: int
    boot: Boot
    disks: list[Disk]
    nics: list[Nic]
    credentials: dict[str, str]


# routing appliances


class ApplianceInterface(TypedDict):
    """A NIC of a routing appliance, from inside."""

    mac: str
    addresses: list[str]
    gateway: NotRequired[str]
    mtu: NotRequired[int]


class DhcpHost(TypedDict):
    """A NIC that gets an address; one NIC of a machine gets a default route, too."""

    name: str
    mac: str
    address: str
    default_route: bool


class ServedNetwork(TypedDict):
    """A guest network that an appliance is the gateway of, with DHCP for known machines only and a DNS domain."""

    subnet: str
    router: str
    lease_s: int
    mtu: NotRequired[int]
    domain: str
    hosts: list[DhcpHost]


class Dns(TypedDict):
    """DNS for names of other domains than those of the guest networks."""

    forwarders: list[str]


class SourceNat(TypedDict):
    """The one address that an account's machines leave by."""

    interface: str
    address: str


class Services(TypedDict):
    """All that a routing appliance does; guest networks are known by its interface in them."""

    hostname: str
    interfaces: dict[str, ApplianceInterface]
    guest_networks: dict[str, ServedNetwork]
    dns: Dns
    source_nat: SourceNat
    forwarding: list[Forwarding]


# devices


class _Device(TypedDict):
    """What every state has."""

    device: str
    zone: str
    management_address: str


class ZoneSwitchState(_Device):
    """One of the L3 pair of a zone."""

    kind: Literal["zone_switch"]
    pod: None
    network: HostNetwork
    gateway: Gateway


class FirewallState(_Device):
    """One of those that all traffic into a zone and out of it passes."""

    kind: Literal["firewall"]
    pod: None
    network: HostNetwork
    firewall: Firewall


class PodSwitchState(_Device):
    """One of the L2 pair of a pod."""

    kind: Literal["pod_switch"]
    pod: str
    port: int
    platform: str
    switch: Switch


class StorageServerState(_Device):
    """Primary storage of a pod."""

    kind: Literal["storage_server"]
    pod: str
    network: HostNetwork
    storage: Storage


class HypervisorState(_Device):
    """A hypervisor and its machines, appliances among them."""

    kind: Literal["hypervisor"]
    pod: str
    network: HostNetwork
    boot_files: dict[str, BootFiles]
    machines: dict[str, Machine]
    moved_from: NotRequired[dict[str, list[str]]]


class RoutingApplianceState(_Device):
    """What runs inside a routing appliance."""

    kind: Literal["routing_appliance"]
    pod: str
    account: str
    hypervisor: str
    reached_at: NotRequired[str]
    appliance: Services


State = FirewallState | ZoneSwitchState | PodSwitchState | StorageServerState | HypervisorState | RoutingApplianceState


def canonical(state: State) -> str:
    """The state as YAML: keys sorted, block style, the same text for equal states."""
    return yaml.dump(state, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=_NEVER_FOLD)


_NEVER_FOLD = 2**31 - 1


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as such, and what occurs twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
