from __future__ import annotations


class ModuleDocFragment:
    """What a module and a lookup have in common that read leases."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - The database of leases, a path or a URL.
      - Left out, it is that of the inventory's cloud, which the variable C(podwright_cloud_file) names.
    type: str
  pool:
    type: str
    choices:
      - console_port
      - guest_address
      - guest_subnet
      - guest_vlan
      - iscsi_target
      - lun
      - mac
      - management_address
      - management_subnet
      - public_address
      - vni
      - vrrp_id
      - placement
      - volume
"""
