"""A training leaves one core to the window, and gives it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from app.workers import cores
from app.workers.cores import cores_for_training, take_cores

ALL = 4


@pytest.fixture(autouse=True)
def four_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(ALL)
    cores.all_cores.cache_clear()
    yield
    torch.set_num_threads(before)
    cores.all_cores.cache_clear()


def cores_of_a_reader() -> int:
    """In a thread of its own, as pictures are read."""

    def read() -> int:
        take_cores()
        return torch.get_num_threads()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read).result()


def test_a_picture_is_read_with_all_cores_but_one_while_a_training_runs():
    assert cores_of_a_reader() == ALL
    with cores_for_training():
        assert torch.get_num_threads() == ALL - 1
        assert cores_of_a_reader() == ALL - 1
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
