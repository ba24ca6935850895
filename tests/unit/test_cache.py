from __future__ import annotations

from pathlib import Path

import pytest

from podwright import tree
from podwright.cache import cache_directory


def test_named_directory_counts_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PODWRIGHT_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path


def test_checkout_keeps_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PODWRIGHT_CACHE", raising=False)
    assert cache_directory() == Path(__file__).resolve().parents[2] / ".cache"


def test_installed_package_uses_the_cache_of_its_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("PODWRIGHT_CACHE", raising=False)
    monkeypatch.setattr(tree, "_BESIDE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/operator/.cache")
    assert cache_directory() == Path("/home/operator/.cache/podwright")
