"""`podwright lab`: a whole cloud on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from podwright import lab, report
from podwright.lab import image, requirements
from podwright.runner import ExitCode

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
    lab.up(cloud_file, name, report.say)


@app.command()
def down(name: Name = DEFAULT_NAME) -> None:
    """Stop the lab and leave nothing of it behind; its images stay cached."""
    lab.down(name)


@app.command()
def status(
    name: Name = DEFAULT_NAME, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False
) -> None:
    """Say which hosts are up, and where."""
    hosts = lab.status(name)
    if as_json:
        sys.stdout.write(json.dumps(hosts, indent=2) + "\n")
    else:
        report.console.print(report.hosts_table(hosts) if hosts else f"lab {name} is down; podwright lab up starts it")


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    command: Annotated[list[str], typer.Argument(help="A command and its arguments.")], name: Name = DEFAULT_NAME
) -> None:
    """Run a command where the lab's hosts can be reached."""
    raise typer.Exit(lab.enter(name, command))


@app.command()
def images() -> None:
    """Build what labs start from, where it is not cached, and start nothing."""
    requirements.check()
    image.build(report.say)


@app.command("requirements")
def show_requirements() -> None:
    """Print the Debian packages that the lab needs and this machine lacks, a line each."""
    sys.stdout.writelines(f"{package}\n" for package in requirements.missing())


@app.command()
def demo(cloud_file: CloudFile = DEFAULT_CLOUD, name: Name = DEFAULT_NAME) -> None:
    """Start the lab, deploy its cloud, prove it with packets, and tell what was made."""
    with TemporaryDirectory() as reports:
        report.console.rule("Lab", align="left")
        started = time.monotonic()
        lab.up(cloud_file, name, report.say)
        stages = {"Lab": time.monotonic() - started}
        for command in ("deploy", "verify"):
            report.console.rule(command.capitalize(), align="left")
            stages |= _run(name, command, cloud_file, Path(reports, f"{command}.json"))
    report.console.rule("The cloud", align="left")
    os.environ["PODWRIGHT_LAB"] = str(lab.directory(name))
    report.show_cloud(cloud_file)
    report.console.print(report.stages_table(stages))
    report.console.print(
        f"The lab is still up. Look around with [bold]podwright lab exec --name {name} bash[/], "
        f"end it with [bold]podwright lab down --name {name}[/]."
    )


def _run(name: str, command: str, cloud_file: Path, report_file: Path) -> dict[str, float]:
    """Run a podwright command inside the lab: {stage: seconds}; one that fails ends the demonstration."""
    podwright = str(Path(sys.executable).with_name("podwright"))
    code = lab.enter(name, [podwright, command, "-i", str(cloud_file), "--report-file", str(report_file)])
    if code not in (ExitCode.IN_SYNC, ExitCode.CHANGED):
        raise typer.Exit(code)
    plays = json.loads(report_file.read_text())["plays"]
    return {f"{command.capitalize()}: {play['name']}": play["seconds"] for play in plays if play["tasks"]}
