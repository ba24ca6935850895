"""The commands that take a switch with a command line from one configuration to another, as hier_config works them out.

What differs and how each line is taken back is hier_config's (https://hier-config.readthedocs.io). Here is what it
cannot know: which of our lines replace each other, in which order nothing leaks, and that VLANs come in ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from hier_config import HConfig, HConfigChild, MatchRule, Platform, WorkflowRemediation, get_hconfig, get_hconfig_driver
from hier_config.models import IdempotentCommandsRule, NegationSubRule, OrderingRule
from hier_config.platforms.driver_base import HConfigDriverBase

from podwright.switches.running_config import Dialect, check, folded, sections_of, vlan_ids, vlan_list
from podwright.switches.state import SwitchState

_PORT = MatchRule(startswith="interface ")
_ALLOWED = "switchport trunk allowed vlan "
_REPLACED_ON_PORTS = (
    *("description ", "switchport mode ", "switchport access vlan ", "switchport trunk native vlan ", _ALLOWED),
    *("spanning-tree portfast", "spanning-tree port type ", "spanning-tree cost ", "spanning-tree mst 0 cost "),
)
"""A line that begins so takes the place of one that does, which need not be taken back first."""

_REPLACED = ("spanning-tree mode ", "spanning-tree priority ", "spanning-tree mst 0 priority ")
_ORDER = {
    ("shutdown",): -100,
    ("switchport mode ", "no switchport mode"): 100,
    ("no switchport access vlan",): 150,
    ("no shutdown",): 200,
}
"""A port is shut before, and opened after, what passes it changes; it becomes a trunk once it allows what it shall, and
keeps its access VLAN until it is one.

{beginnings of lines: weight}; the other lines of a port weigh 0, and the lightest comes first.
"""


def remediation(dialect: Dialect, platform: Platform, before: SwitchState, after: SwitchState) -> str:
    """The commands, in configuration mode, that make a switch that is `before` what it shall be `after`.

    Raises:
        PodwrightError: the platform cannot be in that state.
    """
    check(dialect, after)
    driver = driver_of(platform)
    current = _tree(driver, [*sections_of(dialect, before), *_new_ports(before, after)])
    wanted = _tree(driver, [*sections_of(dialect, after), *_unused_ports(dialect, before, after)])
    commands = WorkflowRemediation(current, wanted).remediation_config
    return "".join(f"{line}\n" for line in _lines(dialect, commands, current))


def _new_ports(before: SwitchState, after: SwitchState) -> Iterator[list[str]]:
    """Sections of ports not used before. Whether one is shut is not known, so it counts as what it shall not be."""
    for name, port in (after.ports or {}).items():
        if name not in (before.ports or {}):
            yield [f"interface {name}", *(["shutdown"] if port.vlans else [])]


def _unused_ports(dialect: Dialect, before: SwitchState, after: SwitchState) -> Iterator[list[str]]:
    """Sections of ports not used any more: nothing passes them."""
    for name in sorted((before.ports or {}).keys() - (after.ports or {}).keys()):
        yield [f"interface {name}", *(["switchport"] if dialect.switchport_first else []), "shutdown"]


def driver_of(platform: Platform) -> HConfigDriverBase:
    """hier_config's driver of a platform, which changes nothing in lines that we wrote, with rules for them."""
    driver = get_hconfig_driver(platform)
    rules = driver.rules
    driver.rules = rules.model_copy(
        update={
            "full_text_sub": [],
            "per_line_sub": [],
            "post_load_callbacks": [],
            "ordering": [
                OrderingRule(match_rules=(_PORT, MatchRule(startswith=begins)), weight=weight)
                for begins, weight in _ORDER.items()
            ],
            "idempotent_commands": [*rules.idempotent_commands, *_replacing()],
            "negation_sub": [*rules.negation_sub, *_taken_back_by_name()],
        }
    )
    return driver


def _replacing() -> Iterator[IdempotentCommandsRule]:
    for begins in _REPLACED:
        yield IdempotentCommandsRule(match_rules=(MatchRule(startswith=begins),))
    for begins in _REPLACED_ON_PORTS:
        yield IdempotentCommandsRule(match_rules=(_PORT, MatchRule(startswith=begins)))
    yield IdempotentCommandsRule(match_rules=(MatchRule(startswith="vlan "), MatchRule(startswith="name ")))


def _taken_back_by_name() -> Iterator[NegationSubRule]:
    """A line is taken back without its value, which may be any text or a list that `no` would read otherwise."""
    sections = [(_PORT, begins) for begins in _REPLACED_ON_PORTS] + [(MatchRule(startswith="vlan "), "name ")]
    for section, begins in sections:
        rules = (section, MatchRule(startswith=begins))
        yield NegationSubRule(match_rules=rules, search=f"^no {begins.strip()}.*", replace=f"no {begins.strip()}")


def _tree(driver: HConfigDriverBase, sections: Iterable[list[str]]) -> HConfig:
    return get_hconfig(
        driver, "".join(f"{head}\n" + "".join(f" {line}\n" for line in rest) for head, *rest in sections)
    )


def _lines(dialect: Dialect, commands: HConfig, current: HConfig) -> Iterator[str]:
    """The commands as they are sent: VLANs in ranges, and out of each section again."""
    for (beginning, _), children in groupby(sorted(commands.children), key=_bare_vlan):
        if beginning:
            vlans = [int(child.text.removeprefix(beginning)) for child in children]
            yield from _ranged(beginning, frozenset(vlans), dialect.width, leave=not beginning.startswith("no "))
        else:
            for child in children:
                yield from _section(dialect, child, current)


def _bare_vlan(child: HConfigChild) -> tuple[str, str]:
    """What a command does with a VLAN and no more, which it can do with many at once; and itself if it is another."""
    beginning, _, vlan = child.text.rpartition(" ")
    bare = vlan.isdigit() and beginning in ("vlan", "no vlan") and not child.children
    return (f"{beginning} ", "") if bare else ("", child.text)


def _ranged(beginning: str, vlans: frozenset[int], width: int | None, *, leave: bool) -> Iterator[str]:
    """A command for VLANs, in lines that the platform takes."""
    for line in _items_in_lines(beginning, vlan_list(vlans).split(","), width):
        yield line
        if leave:
            yield "exit"


def _items_in_lines(beginning: str, items: list[str], width: int | None) -> Iterator[str]:
    line = beginning + items[0]
    for item in items[1:]:
        if width is not None and len(line) + 1 + len(item) > width:
            yield line
            line = beginning + item
        else:
            line += f",{item}"
    yield line


def _section(dialect: Dialect, child: HConfigChild, current: HConfig) -> Iterator[str]:
    yield child.text
    for line in sorted(child.children):
        yield from (f" {text}" for text in _port_line(dialect, child, line.text, current))
    if child.children:
        yield "exit"


def _port_line(dialect: Dialect, section: HConfigChild, line: str, current: HConfig) -> Iterator[str]:
    """A line of a port.

    A list that takes several lines would cut off the VLANs of the later ones for a moment: tell what differs instead.
    """
    now = current.get_child(equals=section.text)
    allowed = now and now.get_child(startswith=_ALLOWED)
    lines = folded(line, dialect.width)
    if len(lines) == 1 or allowed is None or allowed.text == f"{_ALLOWED}none":
        yield from lines
        return
    old, new = (vlan_ids(text.removeprefix(_ALLOWED)) for text in (allowed.text, line))
    for word, vlans in (("remove", old - new), ("add", new - old)):
        if vlans:
            yield from _ranged(f"{_ALLOWED}{word} ", vlans, dialect.width, leave=False)
