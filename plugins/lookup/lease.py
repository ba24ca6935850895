from __future__ import annotations

DOCUMENTATION = r"""
name: lease
short_description: The value that a holder has
description:
  - Returns the VLAN id, subnet, address or other value that each named holder holds; of pool V(placement), the
    hypervisor that runs it; of V(volume), the storage server that has its disk.
  - Reads only. Whoever has to have a value asks M(podwright.cloud.vlan_allocation) or another of these modules.
  - What is being released or rests is not held any more.
version_added: "0.1.0"
author: The podwright developers
options:
  _terms:
    description: Holders, such as C(acme/default) for a guest network or C(acme-web1) for a machine.
    type: list
    elements: str
    required: true
  pool:
    description: What kind of value.
    required: true
  scope:
    description: Where the value is unique, such as C(east/p1) or C(east). Needed where the holder has values in
      several.
    type: str
  purpose:
    description: What the holder needs the value for, such as C(eth0). Needed where it has values for several.
    type: str
  default:
    description: What to return for a holder that has none. Left out, the lookup fails.
    type: raw
  cloud_file:
    description: The declaration of the inventory's cloud. The inventory plugin sets it.
    type: path
    vars:
      - name: podwright_cloud_file
extends_documentation_fragment: podwright.cloud.lease_reading
seealso:
  - module: podwright.cloud.lease_info
"""

EXAMPLES = r"""
- name: Show the VLAN id of a customer
  ansible.builtin.debug:
    msg: "{{ lookup('podwright.cloud.lease', 'acme/default', pool='guest_vlan', scope='east/p1') }}"

- name: Show the MAC address of a NIC from a database of one's own, or nothing
  ansible.builtin.debug:
    msg: >-
      {{ lookup('podwright.cloud.lease', 'acme-east-router', pool='mac', purpose='eth2', default='',
                database='/srv/podwright/leases.db') }}
"""

RETURN = r"""
_raw:
  description: The value of each holder; numbers are numbers.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_database import database_url

from podwright.allocation.database import Database
from podwright.allocation.enquiry import as_data, held, nothing_held
from podwright.allocation.repository import Repository
from podwright.errors import AllocationError, PodwrightError


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)

        def work(repository: Repository) -> list[Any]:
            return [self._value(repository, term, "default" in kwargs) for term in terms]

        try:
            inventory = {"podwright_cloud_file": self.get_option("cloud_file")}
            with Database(database_url(self.get_option("database"), inventory)) as database:
                return database.read(work, needed=False)
        except PodwrightError as error:
            raise AnsibleLookupError(str(error)) from None

    def _value(self, repository: Repository, holder: str, has_default: bool) -> Any:
        what = (holder, *(self.get_option(name) for name in ("pool", "scope", "purpose")))
        found = held(repository, *what)
        if found is not None:
            return as_data(found)["value"]
        if has_default:
            return self.get_option("default")
        raise AllocationError(nothing_held(repository, *what))
