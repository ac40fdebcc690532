"""QObjects in reference cycles die in the GUI thread, whatever the workers allocate."""

import gc
import threading

import pytest
from PySide6.QtCore import QObject, QThread

from app.workers.garbage import GarbageCollection


class Cyclic(QObject):
    """Notes the thread it dies in."""

    def __init__(self, deaths):
        super().__init__()
        self.itself = self
        self._deaths = deaths

    def __del__(self):
        self._deaths.append(QThread.currentThread())


@pytest.fixture
def collection(qapp):
    was_enabled = gc.isenabled()
    made = GarbageCollection()
    yield made
    made.stop()
    if not was_enabled:
        gc.disable()


def test_cycles_are_collected_and_only_in_the_gui_thread(qtbot, qapp, collection):
    deaths = []
    for _ in range(50):
        Cyclic(deaths)

    def allocate():
        for _ in range(20_000):
            [[] for _ in range(10)]

    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert deaths == []
    keep = [[] for _ in range(5_000)]
    qtbot.waitUntil(lambda: len(deaths) == 50, timeout=20_000)
    assert keep
    assert set(deaths) == {qapp.thread()}


def test_python_collects_by_itself_again_afterwards(collection):
    assert not gc.isenabled()
    collection.stop()
    assert gc.isenabled()
