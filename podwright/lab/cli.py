"""`podwright lab`: a whole cloud on this machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from podwright import lab, report
from podwright.lab import requirements

app = typer.Typer(help="A whole cloud on this machine, in namespaces that lead nowhere else.", no_args_is_help=True)

Name = Annotated[
    str, typer.Option("--name", envvar="PODWRIGHT_LAB_NAME", help="Which lab; several stand side by side.")
]
CloudFile = Annotated[Path, typer.Option("--inventory", "-i", exists=True, help="The cloud that the lab stands for.")]

DEFAULT_NAME = "lab"
DEFAULT_CLOUD = Path("inventories/lab/cloud.yml")


@app.command()
def up(cloud_file: CloudFile = DEFAULT_CLOUD, name: Name = DEFAULT_NAME) -> None:
    """Start the lab's hosts and join them with cables; a lab that is up stays as it is."""
    lab.up(cloud_file, name, _say())


@app.command()
def down(name: Name = DEFAULT_NAME) -> None:
    """Stop the lab and leave nothing of it behind; its images stay cached."""
    lab.down(name)


@app.command()
def status(name: Name = DEFAULT_NAME) -> None:
    """Say which hosts are up, and where."""
    report.console.print(report.hosts_table(lab.status(name)))


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    command: Annotated[list[str], typer.Argument(help="A command and its arguments.")], name: Name = DEFAULT_NAME
) -> None:
    """Run a command where the lab's hosts can be reached."""
    raise typer.Exit(lab.enter(name, command))


@app.command("requirements")
def show_requirements() -> None:
    """Print the Debian packages that the lab needs and this machine lacks, a line each."""
    sys.stdout.writelines(f"{package}\n" for package in requirements.missing())


@app.command()
def demo(cloud_file: CloudFile = DEFAULT_CLOUD, name: Name = DEFAULT_NAME) -> None:
    """Start the lab, deploy its cloud, prove it with packets, and tell what was made."""
    stages: dict[str, float] = {}
    podwright = str(Path(sys.executable).with_name("podwright"))

    def stage(title: str, action: Callable[[], int | None]) -> None:
        report.console.rule(title, align="left")
        started = time.monotonic()
        code = action()
        stages[title] = time.monotonic() - started
        if code not in (None, 0, 2):
            raise typer.Exit(code)

    stage("Lab", lambda: lab.up(cloud_file, name, _say()))
    stage("Deploy", lambda: lab.enter(name, [podwright, "deploy", "-i", str(cloud_file)]))
    stage("Verify", lambda: lab.enter(name, [podwright, "verify", "-i", str(cloud_file)]))
    report.console.rule("The cloud", align="left")
    os.environ["PODWRIGHT_LAB"] = str(lab.directory(name))
    report.show_cloud(cloud_file)
    report.console.print(report.stages_table(stages))
    report.console.print(
        f"The lab is still up. Look around with [bold]podwright lab exec --name {name} bash[/], "
        f"end it with [bold]podwright lab down --name {name}[/]."
    )


def _say() -> Callable[[str], None]:
    console = Console(stderr=True)
    return lambda line: console.print(line, markup=False, highlight=False)
