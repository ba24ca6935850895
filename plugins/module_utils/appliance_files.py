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
        DNSMASQ: _dnsmasq(appliance["dhcp"], appliance["dns"]),
        DHCP_HOSTS: _dhcp_hosts(appliance["dhcp"]),
        DNS_HOSTS: _dns_hosts(appliance["dhcp"], appliance["dns"]),
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


def _dnsmasq(dhcp: Mapping[str, Any], dns: Mapping[str, Any]) -> str:
    """dnsmasq(8): what never changes with the hosts, whose files are read again on SIGHUP."""
    subnet, mtu = IPv4Network(dhcp["subnet"]), dhcp.get("mtu")
    lines = [
        f"interface={dhcp['interface']}",
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={_PID_FILE}",
        "",
        "no-ping",  # every address belongs to one MAC address, so none can be in use by another
        "dhcp-authoritative",
        "dhcp-ignore-names",
        f"dhcp-leasefile={LEASES}",
        f"dhcp-range={subnet.network_address},static,{subnet.netmask},{dhcp['lease_s']}",
        f"dhcp-option=option:router,{dhcp['router']}",
        f"dhcp-option=option:dns-server,{dhcp['router']}",
        *([f"dhcp-option=option:mtu,{mtu}"] if mtu else []),
        f"dhcp-hostsfile={DHCP_HOSTS}",
        f"domain={dhcp['domain']}",
        "",
        "no-hosts",
        "no-resolv",
        "domain-needed",
        "bogus-priv",
        f"local=/{dns['domain']}/",
        f"addn-hosts={DNS_HOSTS}",
        *(f"server={forwarder}" for forwarder in dns.get("forwarders") or []),
    ]
    return _FROM_PODWRIGHT + "\n".join(lines) + "\n"


def _dhcp_hosts(dhcp: Mapping[str, Any]) -> str:
    hosts = sorted(dhcp["hosts"], key=lambda host: host["name"])
    return _FROM_PODWRIGHT + "".join(f"{host['mac']},{host['address']},{host['name']}\n" for host in hosts)


def _dns_hosts(dhcp: Mapping[str, Any], dns: Mapping[str, Any]) -> str:
    hosts = sorted(dhcp["hosts"], key=lambda host: host["name"])
    return _FROM_PODWRIGHT + "".join(
        f"{host['address']} {host['name']}.{dns['domain']} {host['name']}\n" for host in hosts
    )


def _firewall(appliance: Mapping[str, Any]) -> str:
    """nft(8): one transaction that leaves no moment without rules.

    An interface that is neither the guests' nor the way out is management's. A packet for an address of the appliance
    is accepted only on the interface that has it: Linux would answer for all of them on each (RFC 1122 section
    3.3.4.2, the weak host model).
    """
    interfaces, source_nat = appliance["interfaces"], appliance["source_nat"]
    guest, public = appliance["dhcp"]["interface"], source_nat["interface"]
    served = {name: ["tcp dport 22 accept"] for name in sorted(interfaces)}
    served |= {guest: ["udp dport { 53, 67 } accept", "tcp dport 53 accept"], public: []}
    accepted = "".join(
        f'        iifname "{name}" ip daddr {_own(interfaces[name])} {rule}\n'
        for name, rules in served.items()
        for rule in (*rules, "icmp type echo-request accept")
    )
    return f"""\
{_FROM_PODWRIGHT}table inet podwright
delete table inet podwright
table inet podwright {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
        iifname "lo" accept
        iifname "{guest}" ip daddr 255.255.255.255 udp dport 67 accept
{accepted}    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
        iifname "{guest}" oifname "{public}" ip saddr {source_nat["inside"]} accept
    }}
    chain source_nat {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname "{public}" ip saddr {source_nat["inside"]} snat ip to {source_nat["address"]}
    }}
}}
"""


def _own(interface: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(address.partition('/')[0] for address in interface['addresses'])} }}"


_PID_FILE = "/run/podwright-dnsmasq.pid"

_DNSMASQ_UNIT_TEXT = f"""\
{_FROM_PODWRIGHT}[Unit]
Description=DHCP and DNS of the guest network
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
