"""The files of a routing appliance, as text: networks, DHCP, DNS, packet filter and their units."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

HOSTNAME = "/etc/hostname"
HOSTS = "/etc/hosts"
SYSCTL = "/etc/sysctl.d/50-podwright.conf"
DNSMASQ = "/etc/podwright/dnsmasq.conf"
DHCP_HOSTS = "/etc/podwright/dhcp-hosts"
DNS_HOSTS = "/etc/podwright/dns-hosts"
FIREWALL = "/etc/podwright/firewall.nft"
DNSMASQ_UNIT = "/etc/systemd/system/podwright-dnsmasq.service"
FIREWALL_UNIT = "/etc/systemd/system/podwright-firewall.service"
TABLE = "podwright"
LEASES = "/var/lib/podwright/dnsmasq.leases"

_FROM_PODWRIGHT = "# Written by podwright; changes made here are lost.\n"


def network_file(interface: str) -> str:
    """Name an interface's file; it sorts before `10-podwright-management`, which eth1 may have started with."""
    return f"/etc/systemd/network/10-podwright-{interface}.network"


def render(appliance: Mapping[str, Any]) -> dict[str, str]:
    """Write every file of an appliance as {path: text}."""
    interfaces = appliance["interfaces"]
    return {
        HOSTNAME: f"{appliance['hostname']}\n",
        # Programs look up the name of their own host; without this they would ask servers that do not know it.
        HOSTS: f"{_FROM_PODWRIGHT}127.0.0.1 localhost\n127.0.1.1 {appliance['hostname']}\n::1 localhost\n",
        SYSCTL: f"{_FROM_PODWRIGHT}net.ipv4.ip_forward = 1\n",
        **{network_file(name): _network(interface) for name, interface in sorted(interfaces.items())},
        DNSMASQ: _dnsmasq(appliance["guest_networks"], appliance["dns"]),
        DHCP_HOSTS: _dhcp_hosts(appliance["guest_networks"]),
        DNS_HOSTS: _dns_hosts(appliance["guest_networks"]),
        DNSMASQ_UNIT: _DNSMASQ_UNIT_TEXT,
        FIREWALL: _firewall(appliance),
        FIREWALL_UNIT: _FIREWALL_UNIT_TEXT,
    }


def _network(interface: Mapping[str, Any]) -> str:
    """systemd.network(5); without a link-local address the interface speaks no IPv6, which nothing here routes."""
    gateway, mtu = interface.get("gateway"), interface.get("mtu")
    lines = [
        "[Match]",
        f"MACAddress={interface['mac']}",
        "",
        *(["[Link]", f"MTUBytes={mtu}", ""] if mtu else []),
        "[Network]",
        "LinkLocalAddressing=no",
        *(f"Address={address}" for address in interface["addresses"]),
        *([f"Gateway={gateway}"] if gateway else []),
    ]
    for route in interface.get("routes") or []:
        lines += ["", "[Route]", f"Destination={route['destination']}", f"Gateway={route['gateway']}"]
    return _FROM_PODWRIGHT + "\n".join(lines) + "\n"


def _dnsmasq(networks: Mapping[str, Any], dns: Mapping[str, Any]) -> str:
    """dnsmasq(8): what never changes with the hosts, whose files are read again on SIGHUP."""
    lines = [
        *(f"interface={interface}" for interface in sorted(networks)),
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={_PID_FILE}",
        "",
        "no-ping",  # every address belongs to one MAC address, so none can be in use by another
        "dhcp-authoritative",
        "dhcp-ignore-names",
        f"dhcp-leasefile={LEASES}",
        "dhcp-option=option:router",  # empty: dnsmasq would offer itself to those NICs, too, that have no default route
        f"dhcp-hostsfile={DHCP_HOSTS}",
        *(line for interface, network in sorted(networks.items()) for line in ("", *_served(interface, network))),
        "",
        "no-hosts",
        "no-resolv",
        "domain-needed",
        "bogus-priv",
        "localise-queries",  # a machine in several networks is found at its address in that of who asks
        f"addn-hosts={DNS_HOSTS}",
        *(f"server={forwarder}" for forwarder in dns.get("forwarders") or []),
    ]
    return _FROM_PODWRIGHT + "\n".join(lines) + "\n"


def _served(interface: str, network: Mapping[str, Any]) -> list[str]:
    """What one guest network is told; its interface is the tag of its requests."""
    subnet, mtu = IPv4Network(network["subnet"]), network.get("mtu")
    option = f"dhcp-option=tag:{interface}"
    return [
        f"dhcp-range=set:{interface},{subnet.network_address},static,{subnet.netmask},{network['lease_s']}",
        f"{option},tag:{_DEFAULT_ROUTE},option:router,{network['router']}",
        f"{option},option:dns-server,{network['router']}",
        *([f"{option},option:mtu,{mtu}"] if mtu else []),
        f"domain={network['domain']},{network['subnet']}",
        f"local=/{network['domain']}/",
    ]


def _dhcp_hosts(networks: Mapping[str, Any]) -> str:
    lines = []
    for _, host in hosts_of(networks):
        tag = [f"set:{_DEFAULT_ROUTE}"] if host["default_route"] else []
        lines.append(",".join([host["mac"], *tag, host["address"], host["name"]]))
    return _FROM_PODWRIGHT + "".join(f"{line}\n" for line in lines)


def _dns_hosts(networks: Mapping[str, Any]) -> str:
    return _FROM_PODWRIGHT + "".join(
        f"{host['address']} {host['name']}.{network['domain']} {host['name']}\n" for network, host in hosts_of(networks)
    )


def hosts_of(networks: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Pair every host of the guest networks with its network, by interface and name."""
    return [
        (network, host)
        for _, network in sorted(networks.items())
        for host in sorted(network["hosts"], key=lambda host: host["name"])
    ]


def _firewall(appliance: Mapping[str, Any]) -> str:
    """nft(8): one transaction that leaves no moment without rules.

    An interface that is neither the guests' nor the way out is management's. A packet for an address of the appliance
    is accepted only on the interface that has it: Linux would answer for all of them on each (RFC 1122 section
    3.3.4.2, the weak host model). Guest networks go out, and into each other where `forwarding` says so.
    """
    interfaces, source_nat = appliance["interfaces"], appliance["source_nat"]
    guests = {name: network["subnet"] for name, network in sorted(appliance["guest_networks"].items())}
    public = source_nat["interface"]
    served = {name: ["tcp dport 22 accept"] for name in sorted(interfaces)}
    served |= {name: ["udp dport { 53, 67 } accept", "tcp dport 53 accept"] for name in guests} | {public: []}
    accepted = "".join(
        f'        iifname "{name}" ip daddr {_own(interfaces[name])} {rule}\n'
        for name, rules in served.items()
        for rule in (*rules, "icmp type echo-request accept")
    )
    asking = "".join(f'        iifname "{guest}" ip daddr 255.255.255.255 udp dport 67 accept\n' for guest in guests)
    passed = [f'iifname "{guest}" oifname "{public}" ip saddr {subnet}' for guest, subnet in guests.items()]
    passed += [
        f'iifname "{near}" oifname "{far}" ip saddr {guests[near]} ip daddr {guests[far]}'
        for near, far in ((pair["from"], pair["to"]) for pair in appliance["forwarding"])
    ]
    forwarded = "".join(f"        {match} accept\n" for match in passed)
    translated = "".join(
        f'        oifname "{public}" ip saddr {subnet} snat ip to {source_nat["address"]}\n'
        for subnet in guests.values()
    )
    return f"""\
{_FROM_PODWRIGHT}table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
        iifname "lo" accept
{asking}{accepted}    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
{forwarded}    }}
    chain source_nat {{
        type nat hook postrouting priority srcnat; policy accept;
{translated}    }}
}}
"""


def _own(interface: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(address.partition('/')[0] for address in interface['addresses'])} }}"


_DEFAULT_ROUTE = "default-route"  # the tag of hosts that get one
_PID_FILE = "/run/podwright-dnsmasq.pid"

_DNSMASQ_UNIT_TEXT = f"""\
{_FROM_PODWRIGHT}[Unit]
Description=DHCP and DNS of the guest networks
After=network.target

[Service]
Type=forking
PIDFile={_PID_FILE}
StateDirectory=podwright
ExecStart=/usr/sbin/dnsmasq --conf-file={DNSMASQ}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""

# Before network-pre.target: no interface is up until the rules are in force.
_FIREWALL_UNIT_TEXT = f"""\
{_FROM_PODWRIGHT}[Unit]
Description=Packet filter and source NAT of the routing appliance
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {FIREWALL}

[Install]
WantedBy=multi-user.target
"""
