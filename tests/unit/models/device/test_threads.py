"""How many threads torch takes, and what a report says about it."""

from __future__ import annotations

import pytest
import torch

from converters.machine import GrantedCores
from models.device import threads


@pytest.fixture(autouse=True)
def eight_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv(threads.USERS_NUMBER, raising=False)
    torch.set_num_threads(8)
    threads.all_threads.cache_clear()
    yield
    torch.set_num_threads(before)
    threads.all_threads.cache_clear()


def grant(monkeypatch, machine, bound, quota=None):
    monkeypatch.setattr(threads, "granted_cores", lambda: GrantedCores(machine, bound, quota))


def test_a_containers_quota_holds(monkeypatch):
    grant(monkeypatch, 64, 64, 2.5)
    threads.stay_within_quota()
    assert torch.get_num_threads() == 2
    assert "may use 2.5 of 64 cores" in threads.computing().why


def test_a_number_of_the_users_is_not_touched(monkeypatch):
    monkeypatch.setenv(threads.USERS_NUMBER, "8")
    grant(monkeypatch, 64, 64, 2.0)
    threads.stay_within_quota()
    assert torch.get_num_threads() == 8
    assert threads.computing().why == "OMP_NUM_THREADS says so"


def test_a_machine_without_limits_is_used_as_torch_would(monkeypatch):
    grant(monkeypatch, 8, 8)
    threads.stay_within_quota()
    assert torch.get_num_threads() == 8
    assert threads.computing().why == "the machine has 8"


def test_the_runtime_of_this_machine_is_named():
    told = threads.computing()
    assert bool(told.runtime) == torch.backends.openmp.is_available()
    assert told.waiting
