"""The picture of a cloud can be read: it is SVG, nothing lies over anything else, and texts fit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from podwright.cli import app
from podwright.errors import InvalidInput
from podwright.graph.drawing import draw
from podwright.graph.layout import lay_out
from podwright.model.cloud import Cloud
from tests.unit.plan.clouds import (
    Declaration,
    account,
    cloud_of,
    declare_lab,
    lab_declaration,
    leases_for,
    made_declaration,
    two_zones_declaration,
    with_public_switches,
    with_racks,
    with_transparent_firewalls,
)
from tests.unit.plan.test_properties import declarations

SVG = "{http://www.w3.org/2000/svg}"
FRAMES = ("zone", "pod", "rack", "hypervisor")
CHARACTER = 0.602 * 11
"""The width of a character of DejaVu Sans Mono in 11 pixels"""
TOLERANCE = 0.2


class Rectangle(NamedTuple):
    x: float
    y: float
    right: float
    bottom: float
    kind: str

    def holds(self, other: Rectangle) -> bool:
        return (
            self.x <= other.x + TOLERANCE
            and self.y <= other.y + TOLERANCE
            and self.right >= other.right - TOLERANCE
            and self.bottom >= other.bottom - TOLERANCE
        )

    def is_apart_from(self, other: Rectangle) -> bool:
        return (
            self.right <= other.x + TOLERANCE
            or other.right <= self.x + TOLERANCE
            or self.bottom <= other.y + TOLERANCE
            or other.bottom <= self.y + TOLERANCE
        )


def large_declaration() -> Declaration:
    declaration = made_declaration(1, 20, 6)
    declaration["accounts"] = {
        f"customer{number}": account("z0", f"p{number % 20}", machines=number % 7) for number in range(60)
    }
    declaration["accounts"] |= {f"crowd{number}": account("z0", "p0", machines=20) for number in range(30)}
    return declaration


def picture_of(cloud: Cloud) -> ET.Element:
    return ET.fromstring(draw(lay_out(cloud, leases_for(cloud))))  # noqa: S314 (our own)


def rectangle(rect: ET.Element) -> Rectangle:
    x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    return Rectangle(x, y, x + width, y + height, rect.attrib["class"])


def boxes(picture: ET.Element) -> Iterator[tuple[Rectangle, list[ET.Element]]]:
    for group in picture.iter(f"{SVG}g"):
        (rect,) = group.iterfind(f"{SVG}rect")
        yield rectangle(rect), list(group.iterfind(f"{SVG}text"))


def assert_readable(cloud: Cloud) -> None:
    picture = picture_of(cloud)
    drawn = list(boxes(picture))
    whole = Rectangle(0, 0, float(picture.attrib["width"]), float(picture.attrib["height"]), "whole")
    for one, texts in drawn:
        assert whole.holds(one)
        for text in texts:
            assert text.text
            left, baseline = float(text.attrib["x"]), float(text.attrib["y"])
            assert one.x < left
            assert left + len(text.text) * CHARACTER <= one.right
            assert one.y + 8 <= baseline <= one.bottom - 2
    for (one, texts), (other, others) in combinations(drawn, 2):
        if not one.is_apart_from(other):
            outer, inner = (one, other) if one.holds(other) else (other, one)
            assert outer.kind in FRAMES
            assert outer.holds(inner)
            captions = texts if outer == one else others
            assert inner.y >= max(float(text.attrib["y"]) for text in captions)


@pytest.mark.parametrize(
    "declaration",
    [
        lab_declaration(),
        large_declaration(),
        with_racks(made_declaration(1, 2, 9), 3),
        with_public_switches(made_declaration(1, 2, 3)),
        with_public_switches(with_racks(made_declaration(1, 1, 3))),
        with_transparent_firewalls(made_declaration(1, 2, 3)),
    ],
    ids=["lab", "20 pods", "racks", "public switches", "public switches in racks", "transparent firewalls"],
)
def test_picture_is_readable(declaration: Declaration) -> None:
    assert_readable(cloud_of(declaration))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(declarations())
def test_any_picture_is_readable(declaration: Declaration) -> None:
    assert_readable(cloud_of(declaration))


def test_switches_hosts_and_cables_of_racks_are_there_once() -> None:
    declaration = with_racks(made_declaration(1, 1, 3))
    picture = picture_of(cloud_of(declaration))
    captions = [texts[0].text for _, texts in boxes(picture)]
    for name in ("rack r0", "rack r1", "z0-p0-sw1", "z0-p0-sw2-r1", "z0-p0-nfs", "z0-p0-hv2"):
        assert captions.count(name) == 1
    hints = "; ".join(title.text or "" for line in picture.iter(f"{SVG}polyline") for title in line)
    for one, other in declaration["zones"]["z0"]["cables"]:
        if other != "management":
            assert f"{one} - {other}" in hints or f"{other} - {one}" in hints


def test_public_and_private_switches_are_told_apart() -> None:
    switches: dict[str, list[tuple[float, str]]] = {}
    for drawn, texts in boxes(picture_of(cloud_of(with_public_switches(made_declaration(1, 1, 2))))):
        if drawn.kind == "pod_switch":
            name, *_, carries = [text.text or "" for text in texts]
            switches.setdefault(carries, []).append((drawn.x, name))
    assert [name for _, name in sorted(switches["private only"])] == ["z0-p0-sw1", "z0-p0-sw2"]
    assert [name for _, name in sorted(switches["public only"])] == ["z0-p0-sw1-pub", "z0-p0-sw2-pub"]
    assert max(switches["private only"]) < min(switches["public only"])


def test_every_device_domain_and_cable_is_there_once() -> None:
    declaration = lab_declaration()
    picture = picture_of(cloud_of(declaration))
    captions = [texts[0].text for _, texts in boxes(picture)]
    for name in ("east-zsw1", "east-p1-sw2", "east-p1-nfs1", "east-p1-hv2", "acme-web1", "globex-east-router"):
        assert captions.count(name) == 1
    hints = "; ".join(title.text or "" for line in picture.iter(f"{SVG}polyline") for title in line)
    for one, other in declaration["zones"]["east"]["cables"]:
        if other != "management":
            assert f"{one} - {other}" in hints or f"{other} - {one}" in hints
    assert "mgmt swp4" in {text.text for text in picture.iter(f"{SVG}text")}


def test_firewalls_tell_where_their_vpns_lead() -> None:
    picture = picture_of(cloud_of(two_zones_declaration()))
    told = {texts[0].text: [text.text for text in texts] for _, texts in boxes(picture)}
    assert {firewall: told[firewall][-1] for firewall in ("east-fw1", "west-fw1")} == {
        "east-fw1": "VPN to west",
        "west-fw1": "VPN to east",
    }


def test_transparent_firewalls_stand_between_the_provider_and_the_zone_switches() -> None:
    picture = picture_of(cloud_of(with_transparent_firewalls(made_declaration(1, 1, 1))))
    drawn = {texts[0].text: box for box, texts in boxes(picture)}
    hints = [title.text or "" for line in picture.iter(f"{SVG}polyline") for title in line]
    for firewall, switch in (("z0-fw1", "z0-zsw1"), ("z0-fw2", "z0-zsw2")):
        assert drawn[firewall].bottom < drawn[switch].y
        assert hints.count(f"{firewall}:eth1 - upstream") == 1
        assert sum(hint in (f"{firewall}:eth2 - {switch}:up", f"{switch}:up - {firewall}:eth2") for hint in hints) == 1
    assert not [hint for hint in hints if "zsw" in hint and "upstream" in hint]


def test_machines_of_an_account_have_its_colour() -> None:
    picture = picture_of(cloud_of(lab_declaration()))
    fills: dict[str, set[str]] = {}
    for group in picture.iter(f"{SVG}g"):
        rect, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert rect is not None
        if rect.attrib["class"] in ("machine", "routing_appliance", "legend"):
            assert text is not None
            fills.setdefault((text.text or "").partition("-")[0].partition("/")[0], set()).add(rect.attrib["style"])
    assert {account: len(of_account) for account, of_account in fills.items()} == {"acme": 1, "globex": 1}
    assert fills["acme"] != fills["globex"]


def test_crowded_hypervisor_tells_how_many_each_account_has() -> None:
    texts = {text.text or "" for text in picture_of(cloud_of(large_declaration())).iter(f"{SVG}text")}
    assert any(text.startswith("crowd1 x") for text in texts)
    assert any("accounts more x" in text for text in texts)


def test_same_cloud_gives_the_same_bytes() -> None:
    declaration = large_declaration()
    shuffled = {**declaration, "accounts": dict(reversed(declaration["accounts"].items()))}
    one, other = cloud_of(declaration), cloud_of(shuffled)
    assert draw(lay_out(one, leases_for(one))) == draw(lay_out(other, leases_for(other)))


def test_command_writes_the_picture_and_leases_nothing(tmp_path: Path) -> None:
    cloud_file = declare_lab(tmp_path)
    command = ["graph", "-i", str(cloud_file), "--to"]
    written = CliRunner().invoke(app, [*command, str(tmp_path / "lab.svg")])
    assert (written.exit_code, written.output) == (0, "")
    picture = ET.fromstring((tmp_path / "lab.svg").read_text())  # noqa: S314 (our own)
    assert picture.tag == f"{SVG}svg"
    assert not (tmp_path / "state").exists()
    with pytest.raises(InvalidInput, match="is not a file; Is a directory: give a path that can be written"):
        CliRunner().invoke(app, [*command, str(tmp_path)], catch_exceptions=False)
