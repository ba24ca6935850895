"""What a zone shows to other zones by VPNs, and who may talk to whom there: each kind with its own alone.

Customers of one zone reach those of another, and controllers and devices reach devices. No VPN leads from a customer's
public address to a management network, whatever networks it has on its ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Literal, get_args

from podwright.model.cloud import Zone

Kind = Literal["customers", "management"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Networks = Iterable[IPv4Network]


def shown_by(zone: Zone) -> dict[Kind, list[IPv4Network]]:
    """The networks of a zone that its VPNs may have on its end, as other zones know them."""
    return {"customers": list(_public(zone)), "management": list(_management(zone))}


def kind_of(zone: Zone, network: IPv4Network) -> Kind | None:
    """Whose a network on the end of a VPN in a zone is; None for one that the zone does not show."""
    shown = shown_by(zone)
    return next((kind for kind in KINDS if any(network.subnet_of(whole) for whole in shown[kind])), None)


def by_kind(zone: Zone, networks: Networks) -> Mapping[Kind | None, list[IPv4Network]]:
    """Networks on the end of a VPN in a zone, sorted, by whose they are."""
    ends: dict[Kind | None, list[IPv4Network]] = {}
    for network in sorted(networks):
        ends.setdefault(kind_of(zone, network), []).append(network)
    return ends


def _public(zone: Zone) -> Iterator[IPv4Network]:
    yield from (pod.networks.public.subnet for pod in zone.pods.values() if pod.networks.public.subnet)


def _management(zone: Zone) -> Iterator[IPv4Network]:
    yield from filter(None, zone.controllers or ())
    if zone.management_reached_through and zone.management_reached_through.network:
        yield zone.management_reached_through.network
