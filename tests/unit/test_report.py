from __future__ import annotations

import pytest

from podwright.report import verdict
from podwright.runner import Failure, Run


def counts(ok: int = 1, changed: int = 0, failed: int = 0, unreachable: int = 0) -> dict[str, int]:
    return {"ok": ok, "changed": changed, "failed": failed, "unreachable": unreachable}


HOSTS = {
    "sw1": counts(failed=1),
    "sw2": counts(changed=1),
    "hv1": counts(changed=1, failed=1),
    "hv2": counts(ok=0, unreachable=1),
    "hv3": counts(),
    "hv4": counts(),
}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (Run(completed=True, hosts={"sw1": counts()}), "in sync: nothing had to change"),
        (Run(completed=True, hosts={"sw1": counts(changed=1), "sw2": counts()}), "changed: sw1"),
        (Run(completed=True, check=True, hosts={"sw1": counts(changed=1)}), "would change: sw1"),
        (
            Run(hosts=HOSTS, failures=[Failure("sw1", "task", "message")]),
            "not reached: hv2; failed after changes: hv1; failed: sw1; changed: sw2; as planned: 2",
        ),
        (
            Run(check=True, hosts=HOSTS, failures=[Failure("sw1", "task", "message")]),
            "not reached: hv2; failed: hv1, sw1; would change: sw2; as planned: 2",
        ),
        (Run(failures=[Failure("controller", "start", "message")]), "failed: 1 failures"),
        (Run(completed=True, hosts={"hv3": counts()}, results={"collected": {"hv3": ["file"]}}), "collected: 1"),
        (
            Run(
                hosts={"hv2": counts(ok=0, unreachable=1), "hv3": counts()},
                failures=[Failure("hv2", "task", "message")],
                results={"collected": {"hv3": ["file"]}},
            ),
            "not reached: hv2; collected: 1",
        ),
    ],
)
def test_verdict_says_which_device_is_in_what_state(run: Run, told: str) -> None:
    assert verdict(run) == told
