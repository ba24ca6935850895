"""What a person reads: progress while a run goes on, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import unified_diff

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from podwright.runner import ExitCode, Play, Run

console = Console()

_VERDICTS = {
    ExitCode.IN_SYNC: ("in sync: nothing had to change", "green"),
    ExitCode.CHANGED: ("changed", "yellow"),
    ExitCode.FAILED: ("failed", "red"),
    ExitCode.INVALID: ("invalid input: nothing was touched", "red"),
}


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
    for failure in run.failures:
        console.print(Text(f"{failure.host}: {failure.task}", style="bold red"))
        console.print(failure.message, markup=False, highlight=False)
    text, colour = _VERDICTS[run.exit_code]
    changed = sorted(host for host, counts in run.hosts.items() if counts["changed"])
    where = f" on {', '.join(changed)}" if changed else ""
    console.print(Text(text + where, style=f"bold {colour}"))


def findings_table(findings: list[dict[str, str | bool]]) -> Table:
    """One row for each statement that was proved or refuted; those that do not hold come first."""
    table = Table(title="What the packets say", title_justify="left", show_lines=False)
    for column in ("", "Who", "Statement", "Seen"):
        table.add_column(column)
    for finding in sorted(findings, key=lambda f: bool(f["holds"])):
        mark = Text("holds", style="green") if finding["holds"] else Text("FAILS", style="bold red")
        table.add_row(mark, *(str(finding[key]) for key in ("subject", "statement", "seen")))
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
