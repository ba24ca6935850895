"""The inventory of a declared cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
name: podwright
short_description: The hosts and groups of a declared cloud
description:
  - Reads the declaration of a cloud (C(cloud.yml), and C(cloud.d/*.yml) beside it), checks all of it and yields its
    firewalls, zone switches, pod switches, storage servers, hypervisors and routing appliances as hosts.
  - Groups are C(firewalls), C(zone_switches), C(pod_switches), C(storage_servers), C(hypervisors) and
    C(routing_appliances) by kind, C(zone_ZONE) by zone, C(pod_ZONE_POD) by pod and C(account_ACCOUNT) for the routing
    appliances of an account. Hyphens of names are underscores in the names of groups.
  - A host has the variable C(ansible_host) only, which is its management address, or, in a zone with
    C(management_reached_through), the address that stands for it there. The address of a routing appliance is a lease,
    so that its group takes it from the host's desired state.
  - Every host has C(podwright_cloud_file), the path of the declaration, C(podwright_state_directory), where the plan is
    kept, and C(podwright_state), its desired state, which is read when it is first used.
  - A declaration that is wrong is refused with all its mistakes. Ansible goes on without hosts then, unless
    C(any_unparsed_is_failed) is set in the section C(inventory) of ansible.cfg.
author:
  - The podwright developers
requirements:
  - the Python package podwright on the controller
options:
  plugin:
    description: Tells this plugin from others; a key of the declaration.
    required: true
    choices: [podwright.cloud.podwright]
seealso:
  - plugin: podwright.cloud.desired_state
    plugin_type: lookup
"""

EXAMPLES = r"""
# ansible-inventory -i inventories/example/cloud.yml --graph
#
# cloud.yml, shortened; docs/inventory.md lists every key:
plugin: podwright.cloud.podwright
name: example
domain: example.com
administrator_key_file: administrator.pub
zones:
  east:
    zone_switches:
      east-zsw1: {management_address: 192.0.2.11}
accounts:
  acme:
    guest_networks:
      default: {zone: east}
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

from podwright.errors import InvalidInput
from podwright.model import Cloud, load, views

if TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

_STATE = "{{ lookup('podwright.cloud.desired_state', inventory_hostname) }}"
_LEASED_ADDRESS = "{{ podwright_state.reached_at | default(podwright_state.management_address) }}"


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """Turns a declared cloud into hosts and groups."""

    NAME = "podwright.cloud.podwright"

    def verify_file(self, path: str) -> bool:
        """Whether `path` is the declaration of a cloud."""
        return bool(super().verify_file(path)) and Path(path).name == "cloud.yml"

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Fill the inventory; nothing is cached, for a declaration is read in no time."""
        super().parse(inventory, loader, path, cache)
        try:
            cloud = load(Path(path))
        except InvalidInput as error:
            raise AnsibleParserError(f"{path} is not a cloud that can be:\n{error}") from error
        self._add_groups(cloud, Path(path))
        self._add_devices(cloud)
        self._add_appliances(cloud)

    def _add_groups(self, cloud: Cloud, path: Path) -> None:
        pods = [(zone_name, pod_name) for zone_name, zone in cloud.zones.items() for pod_name in zone.pods]
        for group in (
            *views.KIND_GROUPS.values(),
            *map(views.zone_group, cloud.zones),
            *(views.pod_group(zone, pod) for zone, pod in pods),
            *map(views.account_group, cloud.accounts),
        ):
            self.inventory.add_group(group)
        for zone, pod in pods:
            self.inventory.add_child(views.zone_group(zone), views.pod_group(zone, pod))
        self._set("all", "podwright_cloud_file", str(path.absolute()))
        self._set("all", "podwright_state_directory", str(cloud.state_directory))
        self._set("all", "podwright_state", _STATE)
        self._set(views.KIND_GROUPS["routing_appliance"], "ansible_host", _LEASED_ADDRESS)

    def _add_devices(self, cloud: Cloud) -> None:
        for device in views.devices(cloud):
            place = views.pod_group(device.zone, device.pod) if device.pod else views.zone_group(device.zone)
            self._add_host(device.name, views.KIND_GROUPS[device.kind], place)
            reached_at = views.reached_at(cloud.zones[device.zone], device.declared.management_address)
            self._set(device.name, "ansible_host", str(reached_at))

    def _add_appliances(self, cloud: Cloud) -> None:
        kind = views.KIND_GROUPS["routing_appliance"]
        for appliance in views.appliances(cloud):
            place = views.pod_group(appliance.zone, appliance.pod)
            self._add_host(appliance.name, kind, place, views.account_group(appliance.account))

    def _add_host(self, name: str, *groups: str) -> None:
        for group in groups:
            self.inventory.add_host(name, group)

    def _set(self, entity: str, variable: str, value: str) -> None:
        self.inventory.set_variable(entity, variable, trust_as_template(value))
