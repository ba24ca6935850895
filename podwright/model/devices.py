"""What devices of several kinds have in common."""

from __future__ import annotations

from typing import Literal

from podwright.model.declared import Declared
from podwright.model.fields import Address

NetworkBackend = Literal["linux", "openvswitch"]
Datapath = Literal["netdev", "system"]


class ManagedDevice(Declared):
    """A device that the controller logs in to."""

    management_address: Address
    """the address that the controller logs in to"""


class LinuxDevice(ManagedDevice):
    """A device that runs Linux; its interface eth0 is for management and no cable of ours."""

    network_backend: NetworkBackend = "linux"
    """what makes its bonds, VLANs and bridges: the kernel's (systemd-networkd) or Open vSwitch"""
    datapath: Datapath = "system"
    """where Open vSwitch forwards: in the kernel (system) or in its own process (netdev)"""
