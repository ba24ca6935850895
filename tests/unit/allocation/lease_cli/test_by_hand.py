"""`podwright lease`: leases that an operator reserves, releases and renumbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from podwright.allocation import allocate
from tests.unit.allocation.declaration import account, cloud
from tests.unit.allocation.lease_cli.said import TODAY, Podwright, Said, set_clock


def test_a_lease_by_hand_from_its_first_day_to_its_last(podwright: Podwright, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = ("vni", "east", "acme/default")
    ranges = ("--ranges", "5000-5009", "--ranges", "6000")
    reserved = "+vni east 5000 acme/default guest_network\n"
    assert podwright("reserve", *lease, *ranges, "--check") == Said(2, f"{reserved}acme/default would have 5000")
    assert podwright("reserve", *lease, *ranges) == Said(2, f"{reserved}acme/default has 5000")
    assert podwright("reserve", *lease) == Said(0, "acme/default has 5000")
    assert podwright("renumber", *lease, "--to", "6000") == Said(
        2,
        """-vni east 5000 acme/default guest_network
+vni east 5000 acme/default guest_network (quarantine)
+vni east 6000 acme/default guest_network
acme/default has 6000; 5000 rests until 2026-01-05T00:00:00+00:00""",
    )
    assert podwright("renumber", *lease, "--to", "6000") == Said(0, "acme/default has 6000 already")
    assert podwright("explain", "5000").out.splitlines()[:5] == [
        "VNI 5000 of zone east (vni)",
        (
            "  in quarantine, given up by network default of account acme (acme/default) for guest_network, "
            "asked for by a playbook or an operator"
        ),
        "  since 2026-01-04T00:00:00+00:00, until 2026-01-05T00:00:00+00:00",
        "  from run 2 by ada@controller: lease renumber",
        "  its holder was renumbered and has another value now",
    ]
    released = podwright("release", *lease, "--quarantine-hours", "1")
    assert released == Said(
        2,
        """-vni east 6000 acme/default guest_network
+vni east 6000 acme/default guest_network (quarantine)
6000 rests until 2026-01-04T01:00:00+00:00, unless acme/default asks for it before""",
    )
    assert podwright("release", *lease) == Said(0, "acme/default holds nothing there")
    set_clock(monkeypatch, TODAY + timedelta(days=2))
    assert podwright("list") == Said(0, "no lease is like that")
    assert podwright("explain", "6000").out.splitlines()[1] == "  free"


def test_a_cloud_s_holder_is_renumbered_within_its_part_until_a_deployment_has_seen_it(
    podwright: Podwright, deployed: Path
) -> None:
    said = podwright("renumber", "public_address", "east", "acme-east-router", "--check")
    assert said == Said(
        2,
        """-public_address east 203.0.1.11 acme-east-router source_nat
+public_address east 203.0.1.11 acme-east-router source_nat (releasing)
+public_address east 203.0.1.13 acme-east-router source_nat
acme-east-router would have 203.0.1.13; 203.0.1.11 stays taken until the next podwright deploy has seen every device without it""",  # noqa: E501
    )
    assert podwright("renumber", "guest_vlan", "east/p1", "acme/default", "--to", "160", "--json").code == 2
    allocated = allocate(cloud(deployed, {"acme": account("web1")}), preview=True, now=datetime.now(UTC))
    assert allocated.leases.guest_vlans == {("acme", "default", "p1"): 160}
    assert not allocated.changed


@pytest.mark.usefixtures("deployed")
def test_a_value_is_taken_from_the_part_that_is_asked_for(podwright: Podwright) -> None:
    said = podwright("reserve", "public_address", "east", "bastion", "--for", "p2", "--purpose", "ssh")
    assert said == Said(2, "+public_address east 203.0.2.11 bastion ssh\nbastion has 203.0.2.11")
