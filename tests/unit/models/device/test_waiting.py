"""How torch's threads wait is settled before torch is there, and never against the user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.device.waiting import SHORT, USERS, way_of_waiting

ROOT = Path(__file__).resolve().parents[4]
LOOK = """
import json, os, sys
{first}
print(json.dumps([{{n: os.environ.get(n) for n in {names}}}, "torch" in sys.modules]))
"""


def look_after(first, **told):
    """What the environment says in a fresh process after these lines, and whether torch is there."""
    environment = {name: value for name, value in os.environ.items() if name not in USERS} | told
    code = LOOK.format(first=first, names=USERS)
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    said, torch = json.loads(answer.stdout)
    return {name: value for name, value in said.items() if value is not None}, torch


DOORS = ("import models", "from app.process.environment import guard_environment; guard_environment()")


@pytest.mark.parametrize("door", DOORS)
def test_short_waiting_is_settled_without_bringing_torch(door):
    assert look_after(door) == (SHORT, False)


@pytest.mark.parametrize(
    "told", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}, {"KMP_BLOCKTIME": "5"}]
)
def test_what_the_user_says_stays_and_is_all(told):
    assert look_after(DOORS[1], **told) == (told, False)


def test_with_torch_there_it_is_too_late_and_nothing_is_claimed():
    assert look_after("sys.modules['torch'] = sys; import models")[0] == {}


def test_what_is_in_force_is_told_with_who_said_it():
    assert "SeedHue's choice: GOMP_SPINCOUNT=1000" in way_of_waiting(dict(SHORT))
    assert "as the environment says: GOMP_SPINCOUNT=3" in way_of_waiting({"GOMP_SPINCOUNT": "3", "PATH": "x"})
    assert "torch was imported before" in way_of_waiting({})
