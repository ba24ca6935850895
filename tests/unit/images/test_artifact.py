from __future__ import annotations

from pathlib import Path

import pytest

from podwright.images.artifact import build_artifact


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODWRIGHT_CACHE", str(tmp_path / "cache"))


def test_the_same_ingredients_are_built_once(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()
    (content / "init").write_text("one")
    made: list[Path] = []
    one, other = (build_artifact("image", ("recipe", content), made.append) for _ in range(2))
    assert one == other
    assert len(made) == 1


@pytest.mark.parametrize("change", ["content", "mode", "new file", "text"])
def test_any_changed_ingredient_builds_anew(tmp_path: Path, change: str) -> None:
    content = tmp_path / "content"
    content.mkdir()
    (content / "init").write_text("one")
    first = build_artifact("image", ("recipe", content), lambda _: None)
    text = "recipe"
    if change == "content":
        (content / "init").write_text("two")
    elif change == "mode":
        (content / "init").chmod(0o755)
    elif change == "new file":
        (content / "inittab").write_text("")
    else:
        text = "another recipe"
    assert build_artifact("image", (text, content), lambda _: None) != first


def test_a_build_that_dies_leaves_nothing_that_counts_as_built() -> None:
    def dies(directory: Path) -> None:
        (directory / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_artifact("image", ("recipe",), dies)
    made = build_artifact("image", ("recipe",), lambda directory: None)
    assert list(made.iterdir()) == []
