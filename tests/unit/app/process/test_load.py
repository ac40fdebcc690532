"""What other programs use of the cores, from clocks that the test turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from app.process.load import LEAST_SECONDS, OthersLoad, foreground_seconds


class Machine:
    """Everybody's processor seconds, this process's, and the time."""

    def __init__(self):
        self.spent, self.own, self.now = 100.0, 5.0, 0.0
        self.load = OthersLoad(lambda: self.spent, lambda: self.own, lambda: self.now)

    def goes_on(self, seconds, others, own):
        self.now += seconds
        self.own += own * seconds
        self.spent += (others + own) * seconds
        return self.load.cores()


def test_nothing_is_known_at_first():
    assert Machine().load.cores() == 0.0


def test_one_busy_program_counts_as_a_core_and_is_forgotten_when_it_ends():
    machine = Machine()
    machine.load.cores()
    for _ in range(6):
        busy = machine.goes_on(1.0, others=1.0, own=1.5)
    assert busy == pytest.approx(1.0, abs=0.01)
    for _ in range(6):
        idle = machine.goes_on(1.0, others=0.0, own=2.0)
    assert idle == pytest.approx(0.0, abs=0.01)


def test_the_clocks_are_not_asked_again_at_once():
    machine = Machine()
    machine.load.cores()
    assert machine.goes_on(LEAST_SECONDS / 2, others=2.0, own=0.0) == 0.0
    assert machine.goes_on(LEAST_SECONDS, others=2.0, own=0.0) > 0.0


def test_clocks_that_differ_in_the_last_digit_give_no_negative_load():
    machine = Machine()
    machine.load.cores()
    machine.now, machine.own = 1.0, machine.own + 0.02
    assert machine.load.cores() == 0.0


def test_the_systems_clock_goes_on_with_work():
    before, begin = foreground_seconds(), time.process_time()
    while time.process_time() - begin < 0.05:
        pass
    assert foreground_seconds() - before >= 0.03 or os.nice(0) > 0  # niced programs are not counted


@pytest.mark.skipif(not hasattr(os, "nice"), reason="asks for the number of Unix")
def test_a_training_started_by_hand_stands_back_unless_it_has_a_priority_already():
    code = "import os; from app.process.priority import stand_back; print(stand_back(), os.nice(0))"
    for given, expected in ((0, "True 10"), (5, "False 5")):
        if os.nice(0) == 0:
            command = f"import os; os.nice({given}); {code}"
            answer = subprocess.run(
                [sys.executable, "-c", command], capture_output=True, text=True, check=True
            )
            assert answer.stdout.strip() == expected
