"""What a person reads: progress while a run goes on, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from podwright.allocation import allocate
from podwright.allocation.leases import Leases
from podwright.model import load
from podwright.model.cloud import Cloud
from podwright.model.views import domains, guest_networks, is_transparent
from podwright.runner import ExitCode, Play, Run

console = Console()
_progress_console = Console(stderr=True)

Finding = Mapping[str, str | bool]
"""A `podwright.observe.verdict.Finding` as it comes out of a run."""

_COLOURS = {
    ExitCode.IN_SYNC: "green",
    ExitCode.CHANGED: "yellow",
    ExitCode.FAILED: "red",
    ExitCode.INVALID: "red",
}


def say(line: str) -> None:
    """One line of progress, beside what a command prints."""
    _progress_console.print(line, markup=False, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[Run], None]]:
    """A line for each play that ended, and the one that runs now."""
    ended = 0
    last: Run | None = None

    with console.status("Starting Ansible") as status:

        def on_progress(run: Run) -> None:
            nonlocal ended, last
            last = run
            for play in run.plays[ended:-1]:
                _print_play(play)
            ended = max(ended, len(run.plays) - 1)
            if run.plays:
                status.update(run.plays[-1].name)

        yield on_progress
    if last is not None:
        for play in last.plays[ended:]:
            _print_play(play)


def show(run: Run) -> None:
    """Differences, failures, findings, and the verdict in one line."""
    for difference in run.differences:
        _print_difference(difference)
    if run.results.get("findings"):
        console.print(findings_table(run.results["findings"]))
    for host, volumes in run.results.get("left_behind", {}).items():
        console.print(f"{host}: disks left behind (deploy with --confirm-removal destroys them): {', '.join(volumes)}")
    for host, machines in run.results.get("restart_needed", {}).items():
        console.print(f"{host}: changes wait for a restart of {', '.join(machines)}")
    if "rendered" in run.results:
        rendered = run.results["rendered"]
        say(f"rendered the configurations of {rendered['devices']} devices below {rendered['directory']}")
    if run.results.get("collected"):
        collection = run.results["collection"]
        say(f"collected below {collection}; `podwright prove --configurations {collection}` proves it")
    for warning in run.warnings:
        console.print(Text(warning, style="yellow"))
    for failure in run.failures:
        console.print(Text(f"{failure.host}: {failure.task}", style="bold red"))
        console.print(failure.message, markup=False, highlight=False)
    console.print(Text(verdict(run), style=f"bold {_COLOURS[run.exit_code]}"))


def verdict(run: Run) -> str:
    """What came of a run, in one line."""
    match run.exit_code:
        case ExitCode.IN_SYNC if run.results.get("collected"):
            return _states(run)
        case ExitCode.IN_SYNC:
            return "in sync: nothing had to change"
        case ExitCode.CHANGED:
            return _states(run, leave_out=("as planned",))
        case ExitCode.INVALID:
            return "invalid input: no device was touched"
        case ExitCode.FAILED:
            return _states(run) or f"failed: {len(run.failures)} failures"


def _states(run: Run, leave_out: Sequence[str] = ()) -> str:
    """Which devices are in what state, worst first; those of which there is nothing more to say are counted."""
    return "; ".join(
        f"{state}: {len(hosts) if state in ('as planned', 'collected') else ', '.join(hosts)}"
        for state, hosts in run.states.items()
        if state not in leave_out
    )


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row for each topic that was proved, and one for each statement that was refuted."""
    table = Table(title="What was seen", title_justify="left")
    table.add_column("")
    table.add_column("Who", overflow="fold")
    table.add_column("Statement", overflow="fold")
    table.add_column("Seen", overflow="fold")
    topics = list(dict.fromkeys(finding["topic"] for finding in findings))
    for topic in topics:
        about = [finding for finding in findings if finding["topic"] == topic]
        held = [finding for finding in about if finding["holds"]]
        subjects = len({finding["subject"] for finding in held})
        if held:
            table.add_row(Text("holds", style="green"), f"{subjects} subjects", str(topic), f"{len(held)} statements")
        for finding in about:
            if not finding["holds"]:
                row = (str(finding[key]) for key in ("subject", "statement", "seen"))
                table.add_row(Text("FAILS", style="bold red"), *row)
    return table


def show_cloud(cloud_file: Path) -> None:
    """The topology, and what was allocated to whom."""
    cloud = load(cloud_file)
    leases = allocate(cloud, preview=True).leases
    console.print(topology(cloud, leases))
    console.print(accounts_table(cloud, leases))


def topology(cloud: Cloud, leases: Leases) -> Tree:
    """Zones, pods, devices, and the domains on each hypervisor."""
    tree = Tree(f"[bold]{cloud.name}[/]")
    for zone_name, zone in sorted(cloud.zones.items()):
        in_zone = tree.add(f"zone [bold]{zone_name}[/] ({zone.data_center})")
        way_out = f", outside through {zone.upstream.address}"
        if zone.firewalls:
            how = ", transparent" if is_transparent(zone) else way_out
            in_zone.add(f"firewalls      {' '.join(sorted(zone.firewalls))}{how}")
            way_out = way_out if is_transparent(zone) else ""
        in_zone.add(f"zone switches  {' '.join(sorted(zone.zone_switches))}{way_out}")
        for pod_name, pod in sorted(zone.pods.items()):
            in_pod = in_zone.add(f"pod [bold]{pod_name}[/]")
            in_pod.add(f"pod switches   {' '.join(sorted(pod.pod_switches))}")
            in_pod.add(f"storage        {' '.join(sorted(pod.storage_servers))}")
            for hypervisor in sorted(pod.hypervisors):
                on_hypervisor = in_pod.add(f"hypervisor     {hypervisor}")
                for domain, host in sorted(leases.placements.items()):
                    if host == hypervisor:
                        on_hypervisor.add(domain)
    return tree


def accounts_table(cloud: Cloud, leases: Leases) -> Table:
    """One row for each domain in each of its networks: its addresses, its place."""
    table = Table(title="What was allocated to whom", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("Account", "Network", "VLAN", "Domain", "Address", "Hypervisor"):
        table.add_column(column, no_wrap=True)
    for placed in guest_networks(cloud):
        key = (placed.account, placed.name)
        subnet = leases.guest_subnets[key]
        for domain in (d for d in domains(cloud) if d.account == placed.account and placed.name in d.guest_networks):
            if domain.role == "routing_appliance":
                address = f"{subnet[1]}/{subnet.prefixlen}\n→ {leases.public_addresses[domain.name]}"
            else:
                address = f"{leases.guest_addresses[domain.name, placed.name]}/{subnet.prefixlen}"
            place = (placed.account, placed.name, str(leases.guest_vlans[*key, domain.pod]), domain.name)
            table.add_row(*place, address, leases.placements[domain.name])
        table.add_section()
    return table


def hosts_table(hosts: Sequence[Mapping[str, object]]) -> Table:
    """One row for each host of a lab."""
    table = Table()
    for column in hosts[0] if hosts else ():
        table.add_column(column)
    for host in hosts:
        table.add_row(*(str(value) for value in host.values()))
    return table


def stages_table(stages: Mapping[str, float]) -> Table:
    """How long each stage took, wall time."""
    table = Table(title="How long it took", title_justify="left")
    table.add_column("Stage")
    table.add_column("Seconds", justify="right")
    for stage, seconds in stages.items():
        table.add_row(stage, f"{seconds:.1f}")
    return table


def _print_play(play: Play) -> None:
    if play.tasks:
        changed = f"changed {', '.join(sorted(play.changed))}" if play.changed else "no change"
        console.print(f"{play.seconds:7.1f} s  {play.name:<40} {changed}", markup=False, highlight=False)


def _print_difference(difference: dict[str, str]) -> None:
    lines = unified_diff(
        difference["before"].splitlines(), difference["after"].splitlines(), "before", "after", lineterm=""
    )
    console.print(Text(f"{difference['host']}: {difference['task']}", style="bold"))
    console.print(Syntax("\n".join(lines), "diff", background_color="default"))
