"""A training leaves one core to the window, and gives it back; what others use is left to them."""

from __future__ import annotations

import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
import torch

from app.process import cores
from app.process.cores import cores_for_training, in_passing_thread
from converters.machine import GrantedCores
from models.device import threads

ALL = 4


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(ALL)
    monkeypatch.setenv(threads.USERS_NUMBER, str(ALL))
    threads.all_threads.cache_clear()
    yield
    torch.set_num_threads(before)
    threads.all_threads.cache_clear()


def cores_of_a_reader() -> int:
    """In a thread of its own, as pictures are read."""
    return in_passing_thread(torch.get_num_threads)


def test_a_picture_is_read_with_all_cores_but_one_while_a_training_runs():
    assert cores_of_a_reader() == ALL
    with cores_for_training():
        assert torch.get_num_threads() == ALL - 1
        assert cores_of_a_reader() == ALL - 1
    assert cores_of_a_reader() == ALL


@pytest.mark.parametrize(
    ("others", "expected"), [(0.0, 4), (0.3, 4), (0.9, 3), (1.0, 3), (2.2, 2), (3.0, 1), (9.0, 1)]
)
def test_cores_that_other_programs_use_are_left_to_them(monkeypatch, others, expected):
    monkeypatch.delenv(threads.USERS_NUMBER)
    monkeypatch.setattr(threads, "granted_cores", lambda: GrantedCores(ALL, ALL))
    monkeypatch.setattr(cores, "granted_cores", lambda: GrantedCores(ALL, ALL))
    monkeypatch.setattr(cores.OthersLoad, "cores", lambda _self: others)
    cores.granted.cache_clear()
    assert cores_of_a_reader() == expected
    with cores_for_training():
        assert cores_of_a_reader() == min(ALL - 1, expected)
    cores.granted.cache_clear()


def test_a_number_of_the_users_stays_whatever_others_do(monkeypatch):
    monkeypatch.setattr(cores.OthersLoad, "cores", lambda _self: 3.0)
    assert cores_of_a_reader() == ALL


def test_a_single_core_is_shared():
    torch.set_num_threads(1)
    with cores_for_training():
        assert torch.get_num_threads() == 1
        assert cores_of_a_reader() == 1


def test_a_training_that_fails_gives_its_core_back():
    with pytest.raises(RuntimeError), cores_for_training():
        raise RuntimeError
    assert cores_of_a_reader() == ALL


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads where Linux lists them")
def test_long_work_leaves_no_helpers_behind():
    def running() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    def multiply() -> int:
        before = running()
        torch.ones(300, 300, 30).mul(2.0).sum()
        return running() - before

    before = running()
    assert in_passing_thread(multiply) > 0
    end = monotonic() + 5.0
    while running() > before and monotonic() < end:  # they end by themselves, a little later
        sleep(0.01)
    assert running() <= before


def test_the_failure_of_long_work_is_its_callers():
    with pytest.raises(ValueError, match="broken"):
        in_passing_thread(lambda: int("broken"))


def test_a_training_is_known_while_it_runs():
    assert not cores.is_training()
    with cores_for_training():
        assert cores.is_training()
    assert not cores.is_training()
