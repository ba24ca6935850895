"""The Layer 2 fabrics of a pod: one that carries everything, or a private and a public one that nothing bridges."""

from __future__ import annotations

from typing import Literal

from podwright.model.cloud import Pod

Fabric = Literal["private", "public"] | None
"""What the pod switches of a fabric carry; None is everything"""


def fabrics(pod: Pod) -> list[Fabric]:
    """The fabrics of a pod, by name."""
    return ["private", "public"] if any(switch.carries for switch in pod.pod_switches.values()) else [None]


def fabric_of(pod: Pod, purpose: str) -> Fabric:
    """The fabric of an infrastructure network, by what it is for; guest networks are in that of the others."""
    private, *public = fabrics(pod)
    return public[0] if public and purpose == "public" else private


def vlans_of(pod: Pod, fabric: Fabric, vlans: set[int]) -> set[int]:
    """Those of some VLANs of a pod that a fabric carries."""
    if fabric is None:
        return vlans
    public = {pod.networks.public.vlan}
    return vlans & public if fabric == "public" else vlans - public
