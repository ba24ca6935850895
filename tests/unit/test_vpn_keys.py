from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from podwright import vpn_keys
from podwright.errors import PlanError


def test_keys_are_made_once_for_all_who_ask(tmp_path: Path) -> None:
    assert vpn_keys.known(tmp_path, ["a"]) == {}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: vpn_keys.made(tmp_path, ["a", "b"]), range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert vpn_keys.known(tmp_path, ["b", "c"]) == {"b": answers[0]["b"]}
    assert answers[0]["a"] != answers[0]["b"]
    assert sorted(path.name for path in (tmp_path / "vpn-keys").iterdir()) == ["a", "b"]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    (key,) = vpn_keys.made(tmp_path, ["a"]).values()
    file = tmp_path / "vpn-keys/a"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(key) >= 43  # 256 bits in base64
    file.chmod(0o640)
    with pytest.raises(PlanError) as refused:
        vpn_keys.known(tmp_path, ["a"])
    assert str(refused.value) == (
        f"{file}: others may read this key; make a new one (remove it and deploy), and keep it 0600"
    )
    assert key not in str(refused.value)
