from __future__ import annotations


class ModuleDocFragment:
    """What modules have in common that lease values of one pool."""

    DOCUMENTATION = r"""
description:
  - An account keeps what it has; a new one gets the lowest free value. All accounts of a call are served in one
    transaction, or none is, so name all of them in one task rather than one in a loop, which would also
    preview the same value for each of them in check mode.
  - Runs on the controller. Any number of controllers on its machine can use one database at once.
  - A lease that a cloud's inventory asks for can be looked up with this module, but not given up.
options:
  database:
    description: Path of the SQLite database of leases, or its URL such as C(sqlite:////srv/leases.db).
      Made when missing.
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
  fixed:
    description: The value that an account must have, by account. The others get the lowest that are left.
    type: dict
    default: {}
  state:
    description:
      - With V(present), every account has a lease afterwards.
      - With V(absent), none has. Say so only after no device carries the value any more.
    type: str
    choices: [present, absent]
    default: present
  quarantine_hours:
    description: With O(state=absent), how long the value rests before another account can get it. In that time its
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
"""
