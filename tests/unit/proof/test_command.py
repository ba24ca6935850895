"""`podwright prove`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from podwright.cli import app
from podwright.errors import PlanError
from podwright.rendering.stage import render_cloud
from tests.unit.plan.clouds import (
    declare,
    declare_lab,
    declared,
)
from tests.unit.proof.configurations import (
    DOMAIN,
)


def podwright(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["prove", *map(str, arguments)], catch_exceptions=False)


def test_command_proves_what_was_rendered_or_collected(tmp_path: Path) -> None:
    cloud_file = declare_lab(tmp_path)
    declare(cloud_file, declared(cloud_file))
    with pytest.raises(PlanError, match="state/rendered: nothing was rendered; run `podwright plan`"):
        podwright("-i", cloud_file)
    directory = render_cloud(cloud_file).directory
    clean = podwright("-i", cloud_file, "--json")
    assert clean.exit_code == 0
    assert json.loads(clean.stdout)["status"] == "proved"
    collected = tmp_path / "collected"
    shutil.copytree(directory, collected, ignore=shutil.ignore_patterns("index.json"))
    file = next(collected.glob(f"*/{DOMAIN.format('acme-web1')}"))
    hypervisor = file.relative_to(collected).parts[0]
    file.write_text(file.read_text().replace("guest101", "guest103"))
    refuted = podwright("-i", cloud_file, "--configurations", collected)
    assert refuted.exit_code == 2
    assert "apart: account acme/default and account globex/default share a segment\n" in refuted.stdout
    assert "    acme-web1 02:70:77:" in refuted.stdout
    assert f"\n    -> {hypervisor} guest103\n" in refuted.stdout
