from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import flat_state, ganesha, primary_storage, volumes

CASES = Path(__file__).parents[2] / "cases" / "primary_storage"
STORAGE = yaml.safe_load((CASES / "storage.yml").read_text())
GOLDEN = CASES / "golden"
DIGESTS = {"tiny": "digest-of-tiny"}


@pytest.mark.parametrize("file", sorted(set(CASES.glob("*.yml")) - {CASES / "storage.yml"}), ids=lambda file: file.stem)
def test_differences_and_what_they_take(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    storage = deepcopy(STORAGE) | case.get("storage", {})
    found = found_on_server(**case.get("found", {}))
    image_bytes = {"tiny": case.get("image_bytes", 300 * 2**20)}

    if "error" in case:
        with pytest.raises(RuntimeError) as error:
            primary_storage.check(storage, found, image_bytes)
        assert str(error.value) == case["error"]
        return

    primary_storage.check(storage, found, image_bytes)
    left_behind = [] if case.get("confirm_removal") else primary_storage.left_behind(storage, found)
    differences = primary_storage.spare(
        flat_state.compare(primary_storage.desired(storage, DIGESTS), seen_on_server(found) | case.get("seen", {})),
        left_behind,
    )

    assert list(differences) == case["changed"]
    assert primary_storage.actions(differences) == case.get("actions", [])
    assert primary_storage.images_needed(differences) == case.get("images_needed", [])
    assert left_behind == case.get("left_behind", [])
    assert {key: list(differences[key]) for key in case.get("shown", {})} == case.get("shown", {})


def found_on_server(**parts: Any) -> volumes.Found:
    """What lies below the export of a server in sync, but for these parts."""
    in_sync: dict[str, Any] = {"images": DIGESTS, "volumes": {"acme-web1.raw": volumes.GIB}, "foreign": []}
    given = in_sync | parts
    return volumes.Found(given["images"], given["volumes"], set(given["foreign"]), given.get("unfinished", []))


def seen_on_server(found: volumes.Found) -> flat_state.State:
    """What is seen on a server that runs as it should, with `found` below its export."""
    running = primary_storage.desired(STORAGE | {"images": {}, "volumes": {}}, {})
    return running | primary_storage.below_export(found)


def test_files_are_the_golden_ones() -> None:
    golden = {f"/{path.relative_to(GOLDEN)}": path.read_text() for path in GOLDEN.rglob("*") if path.is_file()}
    assert ganesha.render(STORAGE) == golden


def test_an_export_without_clients_lets_nobody_in() -> None:
    text = ganesha.render(STORAGE | {"clients": []})[ganesha.EXPORT]
    assert "CLIENT" not in text
    assert "    Access_Type = None;\n" in text


def test_running_export_is_read_from_a_reply_of_ganesha_4_3() -> None:
    client = "0,0,255,1,4294967294,4294967294,0,53490146,480"
    reply = (
        '{"type":"qsssa(siyyiuuuuu)","data":[1,"/srv/primary","/srv/primary","",'
        f'[["192.0.2.32/32",{client}],["192.0.2.31/32",{client}]]]}}'
    )
    assert ganesha.parse_export(reply) == "/srv/primary to 192.0.2.31 192.0.2.32"
    assert ganesha.parse_export('{"data":[1,"/srv/primary","/","",[]]}') == "/srv/primary to nobody"
