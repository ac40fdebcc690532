"""Workers share long work, change nothing of its result, and leave no trace when something goes wrong."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from converters.conversion.workers import in_worker, work_through

ROOT = Path(__file__).resolve().parents[4]


def square(number: int) -> int:
    return number * number


def place(number: int) -> tuple[int, int]:
    """Slow enough that everybody gets something."""
    time.sleep(0.005)
    return number, os.getpid()


def die_in_a_worker(number: int) -> int:
    if in_worker() and number == 7:
        os._exit(3)
    time.sleep(0.005)
    return number


def fail_in_a_worker(number: int) -> int:
    if in_worker():
        raise MemoryError
    return number


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ZeroDivisionError("seven")
    return number


def big(number: int) -> tuple[bytes, int]:
    return bytes(2_000_000), number


def in_a_daemon(queue) -> None:
    queue.put([result for _, result in work_through(square, range(5), processes=2)])


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_come_in_order(count):
    for processes in (None, 1, 3):
        found = list(work_through(square, range(count), processes=processes))
        assert found == [(number, number * number) for number in range(count)]


def test_everybody_works_and_workers_stay_for_the_next_run():
    first = list(work_through(place, range(60), processes=2))
    assert [result[0] for _, result in first] == list(range(60))
    pids = {result[1] for _, result in first}
    assert len(pids) == 2
    assert os.getpid() in pids
    assert {result[1] for _, result in work_through(place, range(60), processes=2)} == pids


def test_work_of_a_dead_worker_is_done_here():
    for _ in range(2):
        assert [result for _, result in work_through(die_in_a_worker, range(30), processes=2)] == [*range(30)]


def test_work_a_worker_fails_at_is_done_here():
    assert [result for _, result in work_through(fail_in_a_worker, range(30), processes=2)] == [*range(30)]


def test_an_error_arrives_as_itself():
    for processes in (1, 2):
        with pytest.raises(ZeroDivisionError, match="seven"):
            list(work_through(fail_at_seven, range(30), processes=processes))
    assert len(list(work_through(square, range(30), processes=2))) == 30


def test_large_orders_and_answers_do_not_block_each_other():
    items = [bytes(3_000_000)] * 12
    assert [result for _, result in work_through(len, items, processes=2)] == [3_000_000] * 12
    assert [result[1] for _, result in work_through(big, range(12), processes=2)] == [*range(12)]


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_cannot_be_sent_is_done_here():
    items = [nested(100_000), *([1, 2],) * 20]
    assert [result for _, result in work_through(len, items, processes=2)] == [1, *[2] * 20]
    depths = [100_000] * 6
    assert [len(result) for _, result in work_through(nested, depths, processes=2)] == [1] * 6


def test_stopped_work_ends_soon_with_what_is_done():
    calls = iter(range(1000))
    start = time.perf_counter()
    found = list(work_through(place, range(10_000), processes=2, should_stop=lambda: next(calls) > 30))
    assert time.perf_counter() - start < 30
    assert 0 < len(found) < 5000
    indices = [index for index, _ in found]
    assert indices == sorted(set(indices))
    assert all(result[0] == index for index, result in found)


def test_an_interrupt_leaves_workers_that_can_go_on():
    work = work_through(place, range(200), processes=2)
    next(work)
    with pytest.raises(KeyboardInterrupt):
        work.throw(KeyboardInterrupt)
    assert [result for _, result in work_through(square, range(9), processes=2)] == [n * n for n in range(9)]


def test_without_permission_for_processes_this_one_works_alone(monkeypatch):
    def refuse(self: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr("converters.conversion.workers._idle_worker", lambda: None)
    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", refuse)
    assert [result for _, result in work_through(square, range(5), processes=4)] == [0, 1, 4, 9, 16]


def test_a_daemon_may_have_no_children_and_works_alone():
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=in_a_daemon, args=(queue,), daemon=True)
    process.start()
    assert queue.get() == [0, 1, 4, 9, 16]
    process.join(60)


SCRIPT = """
import signal, sys, time
from converters.conversion.workers import work_through
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins without it
def work(number):
    time.sleep(0.01)
    return number
if __name__ == "__main__":
    for index, _ in work_through(work, range(100_000), processes=3):
        if index == 20:
            print("going", flush=True)
"""


def workers_of(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"spawn_main" in status.with_name("cmdline").read_bytes():
                found.append(int(status.parent.name))
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_program(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    program = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "going\n"
    workers = workers_of(program.pid)
    assert len(workers) == 2
    if how == signal.SIGINT:
        os.killpg(program.pid, how)  # as a terminal does
    else:
        program.kill()
    _, errors = program.communicate(timeout=60)
    assert errors.count("Traceback") == (1 if how == signal.SIGINT else 0), errors
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers)


def test_a_script_without_a_main_guard_is_told_and_gets_its_result(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import json
            from pathlib import Path
            from converters.conversion.convert import convert
            folder = Path(__file__).parent / "in"
            folder.mkdir(exist_ok=True)
            for number in range(4):
                shape = {"label": "a", "points": [[1, 1], [5, 1], [5, 5]], "shape_type": "polygon"}
                document = {"shapes": [shape], "imagePath": "x.png", "imageHeight": 9, "imageWidth": 9}
                (folder / f"{number}.json").write_text(json.dumps(document))
            print(convert(folder, folder.parent / "out.json", processes=2).report.pictures)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "4\n"
    assert 'if __name__ == "__main__":' in done.stderr
