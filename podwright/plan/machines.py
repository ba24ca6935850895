"""Hypervisors: their machines, with disks, NICs and boot files."""

from __future__ import annotations

from podwright.model.cloud import Hypervisor, Image
from podwright.model.views import MANAGEMENT_NIC, PUBLIC_NIC, Device, Domain, guest_nics, nics
from podwright.plan import names
from podwright.plan.appliances import credentials
from podwright.plan.ground import Ground
from podwright.plan.host_networks import hypervisor_network
from podwright.plan.state import Boot, BootFiles, Disk, HypervisorState, Machine, Nic
from podwright.plan.storage import server_of


def hypervisor_state(ground: Ground, device: Device) -> HypervisorState:
    """The desired state of a hypervisor."""
    assert device.pod is not None
    domains = ground.domains_on.get(device.name, ())
    moved_from = {
        domain.name: list(ground.leases.moved_from[domain.name])
        for domain in domains
        if domain.name in ground.leases.moved_from
    }
    state: HypervisorState = {
        "device": device.name,
        "kind": "hypervisor",
        "zone": device.zone,
        "pod": device.pod,
        "management_address": str(device.declared.management_address),
        "network": hypervisor_network(ground, device),
        "boot_files": _boot_files({domain.image: ground.cloud.images[domain.image] for domain in domains}),
        "machines": {domain.name: _machine(ground, device, domain) for domain in domains},
    }
    if moved_from:
        state["moved_from"] = moved_from
    return state


def _boot_files(images: dict[str, Image]) -> dict[str, BootFiles]:
    return {
        name: {"kernel": str(image.kernel), "initrd": str(image.initrd) if image.initrd else None}
        for name, image in images.items()
        if image.kernel
    }


def _machine(ground: Ground, device: Device, domain: Domain) -> Machine:
    assert isinstance(device.declared, Hypervisor)
    cloud = ground.cloud
    offering = cloud.offerings[domain.offering]
    return {
        "uuid": names.machine_uuid(cloud.name, cloud.domain, domain.name),
        "account": domain.account,
        "role": domain.role,
        "virtualization": device.declared.virtualization,
        "vcpus": offering.vcpus,
        "memory_mib": offering.memory_mib,
        "boot": _boot(domain.image, cloud.images[domain.image]),
        "disks": [_disk(ground, domain)],
        "nics": _nics(ground, device.declared, domain),
        "credentials": credentials(ground, domain) if domain.role == "routing_appliance" else {},
    }


def _boot(name: str, image: Image) -> Boot:
    return {"image": name if image.kernel else None, "command_line": image.command_line if image.kernel else ""}


def _disk(ground: Ground, domain: Domain) -> Disk:
    server = server_of(ground, domain)
    return {
        "target": "vda",
        "protocol": "nfs",
        "host": str(server.storage_address),
        "path": str(server.export / names.volume(domain.name)),
        "iops": ground.cloud.offerings[domain.offering].storage_iops,
    }


def _nics(ground: Ground, hypervisor: Hypervisor, domain: Domain) -> list[Nic]:
    """One in each guest network; a routing appliance's eth1 is for management and its eth2 for public."""
    networks = ground.cloud.zones[domain.zone].pods[domain.pod].networks
    vlans = ground.guest_vlans(domain)
    bridges = {nic: names.guest_segment(vlans[network]) for nic, network in guest_nics(domain).items()}
    if domain.role == "routing_appliance":
        bridges[MANAGEMENT_NIC] = names.infrastructure_segment(networks.management.vlan)
        bridges[PUBLIC_NIC] = names.infrastructure_segment(networks.public.vlan)
    macs = {name: ground.leases.macs[domain.name, name] for name in nics(domain)}
    return [
        {
            "name": name,
            "device": names.nic_device(macs[name]),
            "mac": macs[name],
            "bridge": bridges[name],
            "virtualport": "openvswitch" if hypervisor.network_backend == "openvswitch" else None,
            "rate_mbit_s": ground.cloud.offerings[domain.offering].network_mbit_s,
        }
        for name in nics(domain)
    ]
