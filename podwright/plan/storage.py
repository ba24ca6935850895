"""Storage servers: what is exported to whom, and the volumes on it."""

from __future__ import annotations

from podwright.model.cloud import StorageServer
from podwright.model.views import Device, Domain
from podwright.plan import names
from podwright.plan.ground import Ground
from podwright.plan.host_networks import storage_server_network
from podwright.plan.state import Storage, StorageServerState

# One export per server. NFS-Ganesha keeps 0 for the root of the pseudo file system (ganesha-export-config(8)).
_EXPORT_ID = 1


def storage_server_state(ground: Ground, device: Device) -> StorageServerState:
    """The desired state of a storage server."""
    assert device.pod is not None
    return {
        "device": device.name,
        "kind": "storage_server",
        "zone": device.zone,
        "pod": device.pod,
        "management_address": str(device.declared.management_address),
        "network": storage_server_network(ground, device),
        "storage": _storage(ground, device),
    }


def server_of(ground: Ground, domain: Domain) -> StorageServer:
    """The server that has a domain's disk."""
    return ground.cloud.zones[domain.zone].pods[domain.pod].storage_servers[ground.leases.volumes[domain.name]]


def _storage(ground: Ground, device: Device) -> Storage:
    assert isinstance(device.declared, StorageServer)
    domains = ground.volumes_on.get(device.name, ())
    clients = sorted(hypervisor.storage_address for hypervisor in ground.pod_of(device).hypervisors.values())
    return {
        "address": str(device.declared.storage_address),
        "export": str(device.declared.export),
        "export_id": _EXPORT_ID,
        "clients": [str(client) for client in clients],
        "images": {
            image: {"source": str(ground.cloud.images[image].disk)} for image in sorted({d.image for d in domains})
        },
        "volumes": {
            names.volume(domain.name): {
                "image": domain.image,
                "size_gib": ground.cloud.offerings[domain.offering].disk_gib,
            }
            for domain in domains
        },
    }
