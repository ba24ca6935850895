from __future__ import annotations


class ModuleDocFragment:
    """What zone switches and firewalls have in common."""

    DOCUMENTATION = r"""
requirements:
  - Debian packages C(nftables), C(keepalived) and, for OSPF, C(frr) and C(frr-pythontools) on the device.
options:
  rollback_after_s:
    description: Seconds until an unconfirmed change takes itself back. A reboot before that takes it back at once.
    type: int
    default: 60
  routing_key:
    description: The key by which the zone's routers know each other. The action plugin fills it in.
    type: str
attributes:
  check_mode: {support: full, description: Predicts the change; programs judge their new files all the same.}
  diff_mode:
    support: full
    description: Shows what changes, and only that; of keys, whether they are those of the controller.
notes:
  - Where C(routing) is declared, the device and its neighbours in the transit network find each other's networks by
    OSPF (RFC 2328), signed, and miss each other by BFD (RFC 5880). Only networks in C(announced) are told and only
    those in C(accepted) believed. frr.conf is podwright's as a whole; its key is made on the controller, in the
    directory C(routing-keys) of C(podwright_state_directory).
"""
