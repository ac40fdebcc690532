"""A training leaves one core to the window, and gives it back."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from app.workers.cores import cores_for_training, take_cores

ALL = os.cpu_count() or 2


@pytest.fixture(autouse=True)
def same_number_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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
        assert torch.get_num_threads() == max(1, ALL - 1)
        assert cores_of_a_reader() == max(1, ALL - 1)
    assert cores_of_a_reader() == ALL


def test_a_training_that_fails_gives_its_core_back():
    with pytest.raises(RuntimeError), cores_for_training():
        raise RuntimeError
    assert cores_of_a_reader() == ALL
