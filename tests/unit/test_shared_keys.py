from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from podwright import shared_keys
from podwright.errors import PlanError
from podwright.shared_keys import ROUTING, VPN


def test_keys_are_made_once_for_all_who_ask(tmp_path: Path) -> None:
    assert shared_keys.known(tmp_path, VPN, ["a"]) == {}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shared_keys.made(tmp_path, VPN, ["a", "b"]), range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert shared_keys.known(tmp_path, VPN, ["b", "c"]) == {"b": answers[0]["b"]}
    assert answers[0]["a"] != answers[0]["b"]
    assert sorted(path.name for path in (tmp_path / "vpn-keys").iterdir()) == ["a", "b"]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    (key,) = shared_keys.made(tmp_path, VPN, ["a"]).values()
    file = tmp_path / "vpn-keys/a"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(key) >= 43  # 256 bits in base64
    file.chmod(0o640)
    with pytest.raises(PlanError) as refused:
        shared_keys.known(tmp_path, VPN, ["a"])
    assert str(refused.value) == (
        f"{file}: others may read this key; make a new one (remove it and deploy), and keep it 0600"
    )
    assert key not in str(refused.value)


def test_a_key_for_routing_has_as_many_characters_as_ospf_takes(tmp_path: Path) -> None:
    (key,) = shared_keys.made(tmp_path, ROUTING, ["east"]).values()
    assert len(key) == 16
    assert (tmp_path / "routing-keys/east").read_text() == f"{key}\n"
