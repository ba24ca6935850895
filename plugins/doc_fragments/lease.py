from __future__ import annotations


class ModuleDocFragment:
    """What modules have in common that lease values of one pool."""

    DOCUMENTATION = r"""
description:
  - A holder keeps what it has; a new one gets the lowest free value. All holders of a call are served in one
    transaction, or none is, so name all of them in one task rather than one in a loop, which would also
    preview the same value for each of them in check mode.
  - Runs on the controller. Any number of controllers can use one database at once, those of one machine an SQLite file,
    those of many machines a MariaDB or PostgreSQL server.
  - A lease that a cloud's inventory asks for can be looked up with this module, but not given up.
options:
  database:
    description:
      - The database of leases, the path of an SQLite file or a URL such as C(sqlite:////srv/leases.db),
        C(mariadb://user@host/database) or C(postgresql://user@host/database). Tables are made when missing, and so is
        the file.
      - Left out, it is that of the inventory's cloud, which the variable C(podwright_cloud_file) names.
    type: str
  fixed:
    description: The value that a holder must have, by the name that it is asked for with. The others get the lowest
      that are left.
    type: dict
    default: {}
  state:
    description:
      - With V(present), every holder has a lease afterwards.
      - With V(absent), none has. Say so only after no device carries the value any more.
    type: str
    choices: [present, absent]
    default: present
  quarantine_hours:
    description: With O(state=absent), how long the value rests before another holder can get it. In that time its
      last holder gets it back when it asks.
    type: int
    default: 24
attributes:
  check_mode:
    description: Returns the leases that the run would return, and writes nothing.
    support: full
  diff_mode:
    description: Shows the leases before and after.
    support: full
seealso:
  - module: podwright.cloud.lease_info
  - plugin: podwright.cloud.lease
    plugin_type: lookup
"""

    NETWORKS = r"""
options:
  zone:
    description: The zone that the guest networks are in.
    type: str
    required: true
  accounts:
    description: The accounts whose guest network needs a lease.
    type: list
    elements: str
    required: true
  network:
    description: The guest network of each account that the lease is for.
    type: str
    default: default
"""
