"""docs/inventory.md is what the types say."""

from __future__ import annotations

from pathlib import Path

from podwright.model.reference import reference


def test_the_reference_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "inventory.md"
    remedy = "run `python -m podwright.model.reference > docs/inventory.md`"
    assert page.read_text(encoding="utf-8") == reference(), remedy
