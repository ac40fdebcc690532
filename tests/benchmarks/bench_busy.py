"""What a busy machine costs: reading a picture, a click, finding objects, in four states of the machine.

Run `python -m pytest tests/benchmarks/bench_busy.py -m benchmark -o python_files='bench_*.py' -s`; with
SEEDHUE_BEFORE naming a checkout of another commit (`git worktree add`), both are measured in turn. ROUNDS are
taken one after the other through all states, so that a slow hour of the machine slows all of them; what is
printed are medians and p95 of all rounds, and each state's ratio to the idle one of the same checkout, and to
the idle one before. In the states a program that does nothing but count takes one core; SeedHue trains in
another process that stands back (nice 19); SeedHue trains in the same process, as in the window.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from converters.annotation import ImageAnnotation, Instance, Polygon
from converters.formats.labelme.document import write_labelme

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("busy_probe.py")
SAMPLE = ROOT / "resources" / "samples" / "coffee.jpg"
ROUNDS = int(os.environ.get("SEEDHUE_ROUNDS", "3"))
COUNTS = ("9", "36", "1")  # pictures read, clicks, searches in each round
STATES = ("idle", "one busy program", "a training elsewhere, nice 19", "a training here")
WHAT = {"reading": 1e3, "click": 1e3, "finding": 1.0}  # to milliseconds, but seconds for the last
UNTIL_IT_TRAINS_S = 25.0


def checkouts() -> dict[str, Path]:
    before = os.environ.get("SEEDHUE_BEFORE")
    return ({"before": Path(before)} if before else {}) | {"now": ROOT}


def pictures_to_learn_from(folder: Path) -> Path:
    """Eight labelme files with six ellipses each, over noise."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    for number in range(8):
        noise = draw.integers(0, 255, (60, 80, 3)).astype(np.uint8)
        image, instances = cv2.resize(noise, (640, 480)), []
        for _ in range(6):
            turn, radius = np.linspace(0.0, 6.28, 24), draw.uniform(30.0, 70.0)
            oval = radius * np.stack([np.cos(turn), 0.7 * np.sin(turn)], axis=1)
            ring = draw.uniform((80, 80), (560, 400)) + oval
            cv2.fillPoly(image, [ring.astype(np.int32)], draw.integers(0, 255, 3).tolist())
            outline = Polygon(tuple(map(tuple, ring.tolist())))
            instances.append(Instance(f"{number}-{len(instances)}", "thing", outline))
        cv2.imwrite(str(folder / f"{number}.png"), image)
        annotation = ImageAnnotation(f"{number}.png", 480, 640, tuple(instances))
        write_labelme(folder / f"{number}.json", annotation)
    return folder


def surroundings(checkout: Path, home: Path) -> dict[str, str]:
    """The environment of a checkout's processes: how threads wait is its own affair."""
    settled = ("OMP_", "GOMP_", "KMP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(settled)}
    return {**kept, "PYTHONPATH": str(checkout), "QT_QPA_PLATFORM": "offscreen", "SEEDHUE_HOME": str(home)}


@contextmanager
def busy(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    other = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        other.terminate()
        other.wait()


def measure(checkout: Path, state: str, data: Path, home: Path) -> dict[str, list[float]]:
    """Seconds, from a process of the checkout's in a machine in that state."""
    home.mkdir()
    environment = surroundings(checkout, home)
    probe = [sys.executable, str(PROBE), "--sample", str(SAMPLE), "--counts", *COUNTS]
    if state == STATES[3]:
        probe += ["--train", str(data), "--store", str(home / "models")]

    def ask() -> dict[str, list[float]]:
        done = subprocess.run(probe, env=environment, cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    if state == STATES[1]:
        with busy([sys.executable, "-c", "while True: pass"], environment):
            return ask()
    if state == STATES[2]:
        train = [sys.executable, str(checkout / "main.py"), "train", str(data), "-o", str(home / "run")]
        with busy(["nice", "-n", "19", *train, "--minutes", "60"], environment):
            time.sleep(UNTIL_IT_TRAINS_S)
            return ask()
    return ask()


def test_states_of_the_machine(tmp_path):
    data = pictures_to_learn_from(tmp_path / "data")
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        for state in STATES:
            measured = list(checkouts().items())
            for name, checkout in measured[:: 1 if number % 2 else -1]:  # being second costs something
                home = tmp_path / f"{number} {STATES.index(state)} {name}"
                for what, spent in measure(checkout, state, data, home).items():
                    times[what, state, name] += spent
    report(times)


def report(times: dict[tuple[str, str, str], list[float]]) -> None:
    for what, unit in WHAT.items():
        print(f"\n{what} ({'ms' if unit == 1e3 else 's'}: median, p95; ratio to idle, to idle before)")
        first = times[what, STATES[0], next(iter(checkouts()))]
        for state in STATES:
            for name in checkouts():
                spent, idle = times[what, state, name], times[what, STATES[0], name]
                ratios = [median(spent) / median(idle), median(spent) / median(first)]
                late = [p95(spent) / p95(idle), p95(spent) / p95(first)]
                print(
                    f"  {state:30} {name:7} {unit * median(spent):7.1f} {unit * p95(spent):7.1f}   "
                    f"median {ratios[0]:.2f} {ratios[1]:.2f}   p95 {late[0]:.2f} {late[1]:.2f}"
                )


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 2 else max(values)
