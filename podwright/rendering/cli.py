"""What `podwright plan` does with configurations: writes them down, or compares those of two revisions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.text import Text

from podwright.errors import PodwrightError
from podwright.options import invalid_input_told
from podwright.rendering.comparison import NOW, Comparison, compare
from podwright.rendering.stage import render_cloud
from podwright.report import console
from podwright.runner import ExitCode, Failure, Run

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
"""How lines of a unified difference look, by their first character"""


def note_rendered(declaration: Path, run: Run) -> None:
    """Render a cloud, and put into the results of a run where to, or among its failures why not."""
    try:
        rendered = render_cloud(declaration)
    except PodwrightError as error:
        run.failures.append(Failure("controller", "render configurations", str(error)))
        return
    run.results["rendered"] = {
        "directory": str(rendered.directory),
        "devices": rendered.devices,
        "changed_files": rendered.changed_files,
    }


def show_comparison(declaration: Path, against: str, as_json: bool) -> NoReturn:
    """Show what differs from a revision, and exit: 0 nothing, 2 something.

    Raises:
        InvalidInput: there is no such revision, or one of the declarations is wrong.
        AllocationError: a lease cannot be had.
    """
    with invalid_input_told(as_json):
        comparison = compare(declaration, against)
    code = ExitCode.CHANGED if comparison.differences else ExitCode.IN_SYNC
    if as_json:
        sys.stdout.write(json.dumps(_document(comparison, code), indent=2) + "\n")
    else:
        _show(comparison)
    raise typer.Exit(code)


def _document(comparison: Comparison, code: ExitCode) -> dict[str, Any]:
    return {
        "exit_code": int(code),
        "status": code.name.lower(),
        "against": comparison.against,
        "commit": comparison.commit,
        "devices": {
            device: {"fate": comparison.fate(device), "files": files}
            for device, files in comparison.differences.items()
        },
    }


def _show(comparison: Comparison) -> None:
    differences = comparison.differences
    for device, files in differences.items():
        console.print(Text(f"{device}: {comparison.fate(device)}", style="bold"))
        for difference in files.values():
            for line in difference.splitlines():
                console.print(Text(line, style=_STYLES.get(line[:1], "")), soft_wrap=True)
    where = f"between {comparison.against} ({comparison.commit[:12]}) and the {NOW} of now"
    if differences:
        console.print(Text(f"would change {where}: {', '.join(differences)}", style="bold yellow"))
    else:
        console.print(Text(f"nothing differs {where}", style="bold green"))
