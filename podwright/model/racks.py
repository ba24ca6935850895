"""The layers of pod switches: one for the whole pod, or a pair in each rack below one that joins the racks.

Where a pod has two fabrics, each has these layers.
"""

from __future__ import annotations

from podwright.model.cloud import Pod
from podwright.model.fabrics import Fabric


def racks(pod: Pod) -> list[str]:
    """The racks that have pod switches of their own, by name; none in a pod with one layer."""
    return sorted({switch.rack for switch in pod.pod_switches.values() if switch.rack is not None})


def switches_in(pod: Pod, rack: str | None) -> list[str]:
    """The pod switches of a rack, by name; with None those of no rack, which join the racks where there are any."""
    return sorted(name for name, switch in pod.pod_switches.items() if switch.rack == rack)


def layer(pod: Pod, rack: str | None, fabric: Fabric) -> list[str]:
    """Those of them that are in one fabric and stand in for each other, by name."""
    return [name for name in switches_in(pod, rack) if pod.pod_switches[name].carries == fabric]


def switches_above(pod: Pod, rack: str | None, fabric: Fabric) -> list[str]:
    """The pod switches that those of a rack in one fabric are cabled to, by name."""
    return [] if rack is None else layer(pod, None, fabric)


def hosts_in(pod: Pod, rack: str) -> list[str]:
    """The storage servers and hypervisors of a rack, by name."""
    servers = [name for name, server in pod.storage_servers.items() if server.rack == rack]
    return sorted([*servers, *(name for name, hypervisor in pod.hypervisors.items() if hypervisor.rack == rack)])
