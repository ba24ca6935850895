#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: routing_appliance
short_description: Configure a routing appliance
description:
  - Makes a Debian virtual machine the gateway of the guest networks that an account has in a zone. It hands out
    addresses and names (dnsmasq), translates source addresses and filters packets (nftables), over systemd-networkd.
  - Takes the whole appliance as one value. What is not in it is taken off the appliance.
  - A change that could cut the controller off takes itself back unless the controller, after reconnecting, confirms it.
  - An action plugin of the same name looks at the appliance first, with one command that needs no Python. An appliance
    that is as it should be gets no module.
version_added: "0.1.0"
author: The podwright developers
requirements:
  - systemd 249 or newer with systemd-networkd, iproute2, dnsmasq 2.86 or newer (dnsmasq-base) and nftables 1.0 or newer
options:
  appliance:
    description: What the appliance should be.
    type: dict
    required: true
    suboptions:
      hostname:
        description: Host name.
        type: str
        required: true
      interfaces:
        description:
          - By name, each with C(mac), C(addresses) with prefix length, and where needed C(mtu), a default C(gateway)
            and C(routes), a list of C(destination) and C(gateway). One that is neither among
            O(appliance.guest_networks) nor that of O(appliance.source_nat) is management's and lets ssh in.
        type: dict
        required: true
      guest_networks:
        description:
          - By the interface in it, each with C(subnet), C(router), the gateway and DNS server of its hosts, C(lease_s),
            the seconds that a lease lasts, C(domain), the domain of the hosts, and C(hosts). C(mtu), the octets that a
            packet of the hosts may have, may be left out.
          - Each of C(hosts) has C(name), without a domain, C(mac), C(address) and C(default_route), whether it is told
            that C(router) is its way out. Any other gets no lease.
        type: dict
        required: true
      dns:
        description: DNS, which knows the hosts of the guest networks.
        type: dict
        required: true
        suboptions:
          forwarders:
            description: Servers that are asked for all other names; without any, only the hosts are known.
            type: list
            elements: str
            default: []
      source_nat:
        description: Translation of guests' addresses on their way out.
        type: dict
        required: true
        suboptions:
          interface: {description: Interface that leads out., type: str, required: true}
          address: {description: Address that the outside sees., type: str, required: true}
      forwarding:
        description:
          - Which guest networks may connect to which others, a list of C(from) and C(to), by their interfaces; replies
            pass. Without any, guest networks only go out.
        type: list
        elements: dict
        default: []
  starting:
    description:
      - Whether the appliance's virtual machine is new in this run. In check mode, where it was not started, all of the
        appliance is then reported as new.
    type: bool
    default: false
  boot_timeout_s:
    description: Seconds to wait for an appliance that does not answer, for it may be booting.
    type: int
    default: 300
  rollback_after_s:
    description: Seconds until an unconfirmed change takes itself back.
    type: int
    default: 60
attributes:
  check_mode:
    description: Predicts the change; dnsmasq and nft judge the files all the same.
    support: full
  diff_mode:
    description: Shows files and running state, before and after.
    support: full
"""

EXAMPLES = r"""
- name: Configure the gateway of a guest network
  podwright.cloud.routing_appliance:
    appliance:
      hostname: acme-east-router
      interfaces:
        eth0: {mac: "02:70:77:00:00:01", addresses: [10.1.1.1/24]}
        eth1: {mac: "02:70:77:00:00:02", addresses: [192.0.2.101/24]}
        eth2: {mac: "02:70:77:00:00:03", addresses: [203.0.113.11/24], gateway: 203.0.113.1}
      guest_networks:
        eth0:
          subnet: 10.1.1.0/24
          router: 10.1.1.1
          lease_s: 43200
          domain: default.acme.example
          hosts:
            - {name: web1, mac: "02:70:77:00:00:04", address: 10.1.1.2, default_route: true}
      dns: {forwarders: []}
      source_nat: {interface: eth2, address: 203.0.113.11}
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, after the files were written.
  returned: success
  type: list
  elements: str
  sample: [reload dnsmasq]
confirm:
  description: The shell command that keeps the change; its absence says that none is needed.
  returned: when the change could have cut the controller off; the action plugin runs it
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import look, rollback, routing_appliance


def main() -> None:
    module = AnsibleModule(argument_spec=routing_appliance.ARGUMENTS, supports_check_mode=True)
    appliance = module.params["appliance"]
    try:
        differences = routing_appliance.compare(appliance, look.here(routing_appliance.sights(appliance)))
        routing_appliance.check(differences)
        result = routing_appliance.told(differences)
        if differences and not module.check_mode:
            must_confirm = routing_appliance.apply(appliance, differences, module.params["rollback_after_s"])
            result |= {"confirm": rollback.CONFIRM} if must_confirm else {}
    except (RuntimeError, OSError) as error:
        module.fail_json(msg=f"{appliance['hostname']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
