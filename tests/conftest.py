"""What holds for every test: no display, no real user folders, no logged error, no thread left."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from app.process.environment import guard_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Before anything imports Qt, OpenCV or torch.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QT_API"] = "pyside6"
guard_environment()


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes an empty folder with a number. pytest's own way lists all earlier ones for each: a third of a
    short test's time after some thousand."""
    base, numbers = tmp_path_factory.mktemp("tests"), itertools.count()

    def make(name: str) -> Path:
        folder = base / f"{next(numbers)}-{name}"
        folder.mkdir(mode=0o700)
        return folder

    return make


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, new_folder: Callable[[str], Path]) -> Path:
    """A folder of the test's own, in the place of pytest's fixture."""
    return new_folder(re.sub(r"\W", "_", request.node.name)[:30])


@pytest.fixture(autouse=True)
def own_home(new_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, journals and caches of each test live in a folder of its own."""
    home = new_folder("home")
    monkeypatch.setenv("SEEDHUE_HOME", str(home))
    return home


class _ErrorKeeper(logging.Handler):
    """Remembers what was logged at ERROR or above."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture
def logged_errors():
    """The messages logged at ERROR so far; a test that expects one clears the list."""
    keeper = _ErrorKeeper()
    logging.getLogger().addHandler(keeper)
    yield keeper.messages
    logging.getLogger().removeHandler(keeper)


@pytest.fixture(autouse=True)
def no_logged_error(logged_errors: list[str]):
    """Fails a test during which an error was logged."""
    yield
    assert not logged_errors, f"logged during the test: {logged_errors}"


def pytest_configure(config: pytest.Config) -> None:
    """Cycles are collected between tests only, in the main thread: a QObject that dies in a worker's
    thread leaves its timers behind (app/workers/garbage.py does the same for the program)."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported so far stays to the end; looking through it after every test would take a third
    of all time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Empties the clipboard: the offscreen platform keeps it in a static variable, which would free an
    object of Python's after Python has gone."""
    gui = sys.modules.get("PySide6.QtGui")
    if gui is not None and gui.QGuiApplication.instance() is not None:
        gui.QGuiApplication.clipboard().clear()


@pytest.fixture(scope="module", autouse=True)
def nothing_old_to_look_through() -> None:
    """What earlier modules left (what they imported, caches) stays to the end, too."""
    gc.collect()
    gc.freeze()


COLLECT_EVERY = 40  # tests without a window


@pytest.fixture(scope="session")
def finished_tests() -> Iterator[int]:
    """Counts the tests."""
    return itertools.count(1)


@pytest.fixture(autouse=True)
def collected_garbage(request: pytest.FixtureRequest, finished_tests: Iterator[int]):
    """Collects what a test with a window left behind, and now and then what the others did."""
    yield
    if "qapp" in request.fixturenames or next(finished_tests) % COLLECT_EVERY == 0:
        gc.collect()


@pytest.fixture(autouse=True)
def no_dangling_threads(request: pytest.FixtureRequest):
    """Fails a test that leaves a QThread running: at exit it would abort the interpreter."""
    yield
    core = sys.modules.get("PySide6.QtCore")
    in_window = "qapp" in request.fixturenames or not {"gui", "e2e"}.isdisjoint(request.path.parts)
    if core is None or not in_window:  # the search takes 50 ms
        return
    # type() and not isinstance(): lazy proxies of other packages wake up when asked for their class.
    threads = [thing for thing in gc.get_objects() if issubclass(type(thing), core.QThread)]
    running = [thread for thread in threads if _is_running(thread)]
    main = core.QCoreApplication.instance()
    left = [thread for thread in running if main is None or thread is not main.thread()]
    for thread in left:
        thread.requestInterruption()
        thread.quit()
        thread.wait(5000)
    assert not left, f"{len(left)} QThread(s) still ran after the test: {left}"


def _is_running(thread) -> bool:
    try:
        return bool(thread.isRunning())
    except RuntimeError:  # the C++ object is gone, only its wrapper is left
        return False
