"""Storage's guaranteed share of a pod's links, and how it follows from the pod's budget where none is declared."""

from __future__ import annotations

from typing import NamedTuple

from podwright.model.cloud import Pod

_REQUEST_BYTES = 16 * 1024
"""Limits count requests, whatever their size: one is taken to be a page of InnoDB (MariaDB, `innodb_page_size`)."""

_DERIVED_AT_MOST = 0.5
"""Of a link; more for storage, and less for guests, is for the operator to say."""


class StorageShare(NamedTuple):
    """What storage's VLAN keeps of every link in a pod that guests use, too."""

    vlan: int
    guaranteed_mbit_s: int
    link_mbit_s: int


def storage_share(pod: Pod) -> StorageShare | None:
    """The share of a pod's storage, or None where the pod does not say what its links carry.

    It follows from what is declared of pod and storage servers, not from the machines that are there: each new machine
    would change every device of the pod.
    """
    if pod.link_mbit_s is None:
        return None
    storage = pod.networks.storage
    return StorageShare(storage.vlan, storage.guaranteed_mbit_s or _derived(pod, pod.link_mbit_s), pod.link_mbit_s)


def share_on_switches(pod: Pod) -> StorageShare | None:
    """The share that pod switches keep, too, where they are to."""
    return storage_share(pod) if pod.networks.storage.guaranteed_by == "hypervisors_and_pod_switches" else None


def _derived(pod: Pod, link_mbit_s: int) -> int:
    """The Mbit/s that all operations which the pod allows take at once, half of a link at most; half without limits."""
    most = max(1, int(link_mbit_s * _DERIVED_AT_MOST))
    iops = _storage_iops(pod)
    return most if iops is None else min(most, -(-iops * _REQUEST_BYTES * 8 // 1_000_000))


def _storage_iops(pod: Pod) -> int | None:
    """The operations a second that a pod's machines may do together, if anything limits them."""
    promised = [server.storage_iops for server in pod.storage_servers.values()]
    limits = [pod.limits.storage_iops]
    if None not in promised:
        limits.append(sum(iops for iops in promised if iops is not None))
    return min((limit for limit in limits if limit is not None), default=None)
