from __future__ import annotations

import pytest

from podwright.switches.ssh_cli import _PROMPT, _QUESTION, _REFUSAL


@pytest.mark.parametrize(
    "answer",
    [
        "                ^\n% Invalid input detected at '^' marker.\n",
        "% Incomplete command.\n",
        '% Ambiguous command:  "sh"\n',
        "% Invalid command at '^' marker.\n",
        "% Permission denied for the role\n",
        "%No Rollback Confirmed Change pending\n",
        'Command rejected: An interface whose trunk encapsulation is "Auto" can not be configured to "trunk" mode.\n',
        "ERROR: Invalid VLAN\n",
        "Syntax error while parsing 'x'\n",
    ],
)
def test_refusals_are_told(answer: str) -> None:
    assert _REFUSAL.search(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Copy completed successfully.\n",
        "%Warning: portfast should only be enabled on ports connected to a single host.\n",
        "% Warning: this takes effect later\n",
        "%Portfast has been configured on GigabitEthernet1/0/1 but will only have effect\n",
        "% Access VLAN does not exist. Creating vlan 10\n",
        "%SYS-5-CONFIG_I: Configured from console by vty0\n",
        "Generating Rollback patch\nRollback completed successfully.\n",
        " description ERRORs are counted at 100%\n",
    ],
)
def test_what_is_no_refusal_is_let_pass(answer: str) -> None:
    assert not _REFUSAL.search(answer)


@pytest.mark.parametrize(
    "prompt", ["sw1#", "sw1>", "sw1# ", "sw1(config-if-Et1)#", "sw1(config-s-podwri)#", "a.b-c_1#"]
)
def test_prompts_are_known(prompt: str) -> None:
    assert _PROMPT.fullmatch(prompt)


@pytest.mark.parametrize("line", ["####", "*** keep out ***", "Password:", "Welcome to sw1 #", "--More--"])
def test_banners_and_questions_are_no_prompts(line: str) -> None:
    assert not _PROMPT.fullmatch(line)


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("Overwrite? [confirm]", True),
        ("Destination filename [startup-config]? ", True),
        (" --More-- ", True),
        ("Password:", True),
        ("username admin secret 5 $1$", False),
    ],
)
def test_only_questions_are_shown(line: str, asks: bool) -> None:
    assert bool(_QUESTION.fullmatch(line)) is asks
