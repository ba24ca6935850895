"""A transparent firewall on a kernel of its own, in the cable between a provider and a zone switch.

The firewall is a Debian host (emulated_host.py); the ends of its cables are network namespaces of the same kernel, so
that a cable that is pulled takes its carrier along. Zone switches have the addresses, keepalived and the packet filter
of their states:

    outside ── provider ── eth1 [firewall] eth2 ── zsw1 ──┐
                  │                                       ├── customer
                  └─────────────────────────────── zsw2 ──┘

The cable of the second zone switch leads to the provider as if by another transparent firewall, which lets all pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import yaml

from podwright.model.cloud import Cloud
from podwright.plan import plan
from podwright.rendering import rendered_files
from podwright.rendering.devices import render
from podwright.runner import ExitCode, Order, Run, run
from tests.devices.emulated_host import EmulatedHost, emulated_host
from tests.devices.processes import eventually
from tests.unit.plan.clouds import account, cloud_of, leases_for, made_declaration, with_transparent_firewalls

FIREWALL = "z0-fw1"
GATEWAY, OUTSIDE = "198.51.100.254", "192.0.2.77"
SHARED, BEHIND, BEYOND = "198.51.100.1", "198.51.100.2", "198.51.100.3"
CUSTOMER = "10.128.224.0"
"""The public address of acme, as the lease of its routing appliance has it."""

SCRIPTS = Path(__file__).parent
_PUBLIC = "vlan12"

PLAY = """
- name: Firewalls
  hosts: all
  gather_facts: false
  roles:
    - role: podwright.cloud.firewall
      firewall_state: "{{ state }}"
      firewall_rollback_after_s: "{{ rollback_after_s }}"
"""
_CABLES_UNIT = """[Unit]
DefaultDependencies=no
After=systemd-tmpfiles-setup.service systemd-modules-load.service
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -eu /etc/test/cables

[Install]
WantedBy=multi-user.target
"""
_NEIGHBOUR_UNIT = """[Unit]
After=test-cables.service network.target

[Service]
ExecStart=ip netns exec {name} keepalived --dont-fork --log-console --use-file /etc/test/{name}.conf \\
    --pid /run/{name}.pid --vrrp_pid /run/{name}-vrrp.pid
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def cloud_of_zone(**zone: Any) -> Cloud:
    """A zone with a customer's machine; keys of the zone's declaration instead of those that it has."""
    declaration = with_transparent_firewalls(made_declaration(zones=1, pods=1, hypervisors=1), translated=False)
    declaration["accounts"] = {"acme": account("z0", "p0", 1)}
    declaration["zones"]["z0"] |= {
        "controllers": ["10.0.2.0/24"],
        "firewall_rules": {"web": {"direction": "in", "account": "acme", "protocol": "tcp", "ports": [80]}},
        **zone,
    }
    return cloud_of(declaration)


def states(**zone: Any) -> dict[str, Any]:
    """The plan of that zone."""
    cloud = cloud_of_zone(**zone)
    return plan(cloud, leases_for(cloud))


def routed_state() -> Any:
    """The plan of the same firewall as a router: a bond to the zone switch, shared addresses, no table for frames."""
    addresses = {"firewall_address": "172.31.0.1", "zone_switch_address": "172.31.0.5"}
    transit = {"vlan": 4000, "subnet": "172.31.0.0/28", **addresses}
    return states(firewall_mode="routed", transit=transit)[FIREWALL]


@dataclass(frozen=True)
class Zone:
    """A zone that runs."""

    host: EmulatedHost

    def at(self, place: str, command: str) -> str:
        """What a shell command prints at a place: `outside`, `provider`, `zsw1`, `zsw2` or `customer`."""
        return self.host.on(f"ip netns exec {place} sh -euc '{command}'")

    def passes(self, place: str, command: str) -> bool:
        """Whether a shell command succeeds at a place."""
        return self.at(place, f"if {command} >/dev/null 2>&1; then echo yes; else echo no; fi").strip() == "yes"

    def passing(self, *sent: str) -> list[str]:
        """Send frames by name (wire.py), one by one: those that came out at the other end of the cable."""
        names = " ".join(name.replace(" ", "_") for name in sent)
        # Frames told their receivers addresses that are wrong.
        forget = "; ".join(f"ip -n {place} neighbour flush all" for place in ("provider", "zsw1", "zsw2"))
        passed = json.loads(self.host.on(f"python3 -I /etc/test/wire.py {names}; {forget}"))
        return [name for name, did in zip(sent, passed, strict=True) if did]

    def serve(self, place: str, port: int) -> None:
        """Have what is sent to a port of a place come back, if it does not already."""
        unit = f"echo-{place}-{port}"
        program = f"ip netns exec {place} python3 -I /etc/test/talk.py serve {port}"
        self.host.on(f"systemctl is-active --quiet {unit} || systemd-run --quiet --unit={unit} {program}")
        assert eventually(lambda: self.passes(place, f"ss -Hltn sport = {port} | grep -q LISTEN"), 20)

    def connection(self, address: str, port: int) -> str:
        """The command that succeeds when a connection does."""
        return f"python3 -I /etc/test/talk.py connect {address} {port}"

    @contextmanager
    def stream(self, place: str, address: str, port: int) -> Iterator[Callable[[], int]]:
        """A connection that asks every 10 ms; what it gives says how long it had no answer at most so far, in ms."""
        with self._asking(place, f"python3 -I -u /etc/test/talk.py stream {address} {port}") as longest_silence_ms:
            yield longest_silence_ms

    @contextmanager
    def pings(self, place: str, address: str) -> Iterator[Callable[[], int]]:
        """The same of a host that pings every 50 ms."""
        with self._asking(place, f"ping -i 0.05 -D -n {address}") as longest_silence_ms:
            yield longest_silence_ms

    @contextmanager
    def _asking(self, place: str, command: str) -> Iterator[Callable[[], int]]:
        """A program that runs at a place and prints the time of each answer, as `ping -D` does."""
        unit, log = "test-asking", "/run/test-asking.log"
        output = f"--property=StandardOutput=truncate:{log}"
        self.host.on(f"systemd-run --quiet --unit={unit} {output} ip netns exec {place} {command}")
        shown = f"cat {log} 2>/dev/null || :; date '+[%s.%N] now'"
        assert eventually(lambda: " bytes from " in self.host.on(shown), 20)
        try:
            yield lambda: _longest_silence_ms(self.host.on(shown))
        finally:
            self.host.on(f"systemctl stop {unit} || :; systemctl reset-failed {unit} 2>/dev/null || :")

    def has_shared_address(self, zone_switch: str) -> bool:
        """Whether a zone switch is the one that answers for the zone."""
        return f" {SHARED}/" in self.at(zone_switch, "ip -oneline address")

    def await_neighbours(self) -> None:
        """Be there once all around the firewall runs, after a boot."""
        shown = "ip netns exec zsw2 ip -oneline address || :; ip netns exec zsw1 ip -oneline address || :"
        seen = eventually(lambda: f" {SHARED}/" in self.host.on(shown), 60)
        assert seen, self.host.on("journalctl --boot --no-pager --unit 'test-*' | tail -50")

    def deploy(self, state: Mapping[str, Any], *, rollback_after_s: int = 120, **options: Any) -> Run:
        """Run the role `firewall` with a state."""
        playbook = self.host.directory / "play.yml"
        playbook.write_text(PLAY)
        inventory = self._inventory(state=state, rollback_after_s=rollback_after_s)
        return run(Order(str(playbook), inventory, **options))

    def collect(self) -> Mapping[str, str]:
        """What the firewall runs with: {path: text}."""
        to = self.host.directory / "collected"
        inventory = self._inventory(podwright_state=states()[FIREWALL])
        result = run(Order("podwright.cloud.collect", inventory, variables={"podwright_collect_to": str(to)}))
        assert result.exit_code == ExitCode.IN_SYNC, result.failures
        return rendered_files.read(to)[FIREWALL]

    def _inventory(self, **variables: Any) -> Path:
        access, inventory = self.host.access, self.host.directory / "hosts.yml"
        login = {
            "ansible_host": access.host,
            "ansible_port": access.port,
            "ansible_user": access.user,
            "ansible_ssh_private_key_file": str(access.key_file),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={access.known_hosts_file}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {FIREWALL: {**login, **variables}}}}))
        return inventory


@contextmanager
def transparent_zone(directory: Path) -> Iterator[Zone]:
    """A zone whose firewall has nothing of podwright's yet; all else in it runs."""
    planned = states()
    files = {
        "/etc/hostname": "firewall\n",
        "/etc/hosts": "127.0.0.1 localhost firewall\n",
        "/etc/systemd/system/test-cables.service": _CABLES_UNIT,
        "/etc/test/cables": "".join(f"{line}\n" for line in _cables(planned)),
        **{f"/etc/test/{name}": (SCRIPTS / name).read_text() for name in ("talk.py", "wire.py")},
    }
    for name in ("zsw1", "zsw2"):
        rendered = render(planned[f"z0-{name}"])
        files[f"/etc/test/{name}.conf"] = rendered["etc/keepalived/keepalived.conf"]
        files[f"/etc/test/{name}.nft"] = rendered["etc/podwright/zone-gateway.nft"]
        files[f"/etc/systemd/system/test-{name}.service"] = _NEIGHBOUR_UNIT.format(name=name)
    with emulated_host(directory, files) as host:
        host.on("systemctl enable --quiet --now test-cables.service test-zsw1.service test-zsw2.service")
        zone = Zone(host)
        zone.await_neighbours()
        yield zone


def _longest_silence_ms(printed: str) -> int:
    """The longest time between two answers, or since the last one until now."""
    told = [line for line in printed.splitlines() if " bytes from " in line or line.endswith("] now")]
    times = [float(line[1 : line.index("]")]) for line in told]
    return round(1000 * max(later - earlier for earlier, later in pairwise(times)))


def _cables(planned: Mapping[str, Any]) -> Iterator[str]:
    """The commands that lay the cables and set up what is at their other ends; few, for each is a process."""
    yield from (f"ip netns add {place}" for place in ("provider", "customer", "outside", "zsw1", "zsw2"))
    for place, lines in groupby(_links(planned), key=lambda each: each[0]):
        inside = f"-n {place} " if place else ""
        yield f"ip {inside}-batch - <<END\n" + "".join(f"{line}\n" for _, line in lines) + "END"
    for place in ("provider", "zsw1", "zsw2"):
        load = "" if place == "provider" else f"; nft -f /etc/test/{place}.nft"
        yield f"ip netns exec {place} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward{load}'"


def _links(planned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(place, command of ip(8) there); the firewall has no name."""
    yield "", "link add eth1 type veth peer name fw1 netns provider"
    yield "", "link add eth2 type veth peer name up netns zsw1"
    for line in (
        "link set lo up",
        "link add lan up type bridge",
        "link add fw2 type veth peer name up netns zsw2",
        "link add out type veth peer name eth0 netns outside",
        *(f"link set {port} master lan up" for port in ("fw1", "fw2")),
        f"address add {GATEWAY}/24 dev lan",
        "address add 192.0.2.1/24 dev out",
        "link set out up",
        f"route add 10.128.192.0/18 via {SHARED}",
    ):
        yield "provider", line
    for line in (
        "link set lo up",
        f"address add {OUTSIDE}/24 dev eth0",
        "link set eth0 up",
        "route add default via 192.0.2.1",
    ):
        yield "outside", line
    yield "customer", "link set lo up"
    yield "customer", "link add lan up type bridge"
    for name in ("zsw1", "zsw2"):
        yield "customer", f"link add {name} type veth peer name {_PUBLIC} netns {name}"
        yield "customer", f"link set {name} master lan up"
    yield "customer", f"address add {CUSTOMER}/18 dev lan"
    yield "customer", "route add default via 10.128.192.1"
    for vlan in planned["z0-zsw1"]["network"]["interfaces"]:
        if vlan != _PUBLIC:
            yield "zsw1", f"link add {vlan} type veth peer name {vlan} netns zsw2"
    for name in ("zsw1", "zsw2"):
        yield from ((name, line) for line in _zone_switch(planned[f"z0-{name}"]["network"]))


def _zone_switch(network: Mapping[str, Any]) -> Iterator[str]:
    yield "link set lo up"
    for port, declared in {**network["interfaces"], **network["routed_ports"]}.items():
        yield f"address add {declared['addresses'][0]} dev {port}"
        yield f"link set dev {port} up"
    for trunk in network["trunks"]:  # keepalived looks at the ports of trunks, too
        yield f"link add {trunk} up type veth peer name {trunk}-end"
        yield f"link set {trunk}-end up"
    for route in network["routes"]:  # which has no carrier yet
        yield f"route add {route['destination']} via {route['gateway']} dev up onlink"
