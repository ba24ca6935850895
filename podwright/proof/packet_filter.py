"""Which new connections a packet filter forwards: the chain `forward` of a table of nftables, as text (nft(8)).

Whatever else a rule asks for makes it let less pass, so of a rule that accepts only the interfaces count, and where the
source is: what is proved of a filter that is read so holds of the filter itself. What a rule drops is not
taken off, for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils.firewall_rules import TUNNEL

# What is routed: a transparent firewall has a table for frames, too.
_TABLE = re.compile(r"^table inet \S+ \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_CHAIN = re.compile(r"chain forward \{\n(.*?)^\s*\}", re.DOTALL | re.MULTILINE)
_HOOK = "type filter hook forward"
# What a rule says beside its matches and its verdict.
_SAID = re.compile(r'\s+comment "[^"]*"|\s+counter(?: packets \d+ bytes \d+)?')
_VERDICT = re.compile(r"(.*?)\s*\b(accept|drop|reject(?: with .+)?)")
_OLD = re.compile(r"\bct state (?!\S*(?:new|untracked))[a-z,]+|\bct direction reply\b")
_ONE_OR_SET = r"({[^}]*}|\S+)"
_INTERFACES = {word: re.compile(rf"\b{word} {_ONE_OR_SET}") for word in ("iifname", "oifname")}
_SOURCES = re.compile(rf"(?<!original )\bip saddr {_ONE_OR_SET}")
_DECRYPTED = re.compile(r"\bmeta (?:ipsec|secpath) exists\b")


class Accepted(NamedTuple):
    """A rule by which new connections pass."""

    near: frozenset[str] | None
    """the interfaces that they come in by; None is any"""
    far: frozenset[str] | None
    """the interfaces that they leave by; None is any"""
    sources: tuple[str, ...] | None
    """the networks that they come from; None is any"""
    decrypted: bool
    """whether they came in encrypted (IPsec), so that `near` is not where they are from"""


class Filter(NamedTuple):
    """What is forwarded, and the rules of it that are not understood."""

    accepted: tuple[Accepted, ...]
    doubts: tuple[str, ...]


_EVERYTHING = Accepted(None, None, None, decrypted=False)


def forwarded(rules: str | None) -> Filter:
    """Read a table; without one, or without a chain `forward`, everything is."""
    table = _TABLE.search(rules or "")
    chain = _CHAIN.search(table[1]) if table else None
    if chain is None:
        return Filter((_EVERYTHING,), ())
    accepted: list[Accepted] = []
    doubts: list[str] = []
    for line in filter(None, map(str.strip, chain[1].splitlines())):
        try:
            accepted += _accepted(line)
        except ValueError:
            doubts.append(repr(line))
    return Filter(tuple(accepted), tuple(doubts))


def _accepted(line: str) -> Iterator[Accepted]:
    """What a line of the chain accepts, if anything.

    Raises:
        ValueError: it is not understood.
    """
    if line.startswith(_HOOK):
        if "policy drop" not in line:
            yield _EVERYTHING
        return
    rule = _VERDICT.fullmatch(_SAID.sub("", line))
    if rule is None:
        raise ValueError
    matches, verdict = rule.groups()
    if verdict != "accept" or _OLD.search(matches):
        return
    near, far = (_interfaces(matches, word) for word in ("iifname", "oifname"))
    sources, only_decrypted = _sources(matches), bool(_DECRYPTED.search(matches))
    if only_decrypted or TUNNEL in (near or ()):
        yield Accepted(near, far, sources, decrypted=True)
    if not only_decrypted and near != frozenset({TUNNEL}):
        yield Accepted(near, far, sources, decrypted=False)


def _interfaces(matches: str, word: str) -> frozenset[str] | None:
    found = _INTERFACES[word].search(matches)
    if found is None:
        return None
    names = frozenset(re.findall(r'"([^"]+)"', found[1]))
    if not names or any("*" in name for name in names):  # all but one, or whatever is called so
        return None
    return names


def _sources(matches: str) -> tuple[str, ...] | None:
    """The networks that a rule names as sources; None where it names others, or ranges."""
    found = _SOURCES.search(matches)
    if found is None or set("!-@") & set(found[1]):
        return None
    return tuple(re.findall(r"[\d./]+", found[1]))
