"""One process of `bench_busy`: what SeedHue's own workers take for a picture, on a machine in one state.

Run by path with the checkout that is measured as PYTHONPATH; uses only what both checkouts have. Prints the
seconds as JSON: {"reading": [...], "click": [...], "finding": [...], "threads": N}.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, sleep

from app.process.environment import guard_environment

guard_environment()

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from app.application import favour_the_window  # noqa: E402
from app.editing.region_answers import RegionRequest, answer  # noqa: E402
from app.workers.inference import InferenceEngine  # noqa: E402
from app.workers.requests import EncodeImage, FindObjects, LoadModel  # noqa: E402
from app.workers.training import TrainingProgress, TrainRequest, run_training_job  # noqa: E402
from converters.annotation import Seed  # noqa: E402

HEIGHT, WIDTH = 3000, 4000
SCREEN = HEIGHT // 4, WIDTH // 4
PAUSE_S = 0.03  # between clicks: nobody clicks without one, and idle threads go to sleep in it
WARM_UP = 6


def measure(sample: Path, readings: int, clicks: int, findings: int) -> dict[str, list[float]]:
    """Seconds of each reading, click (the first to the third of an object) and search for objects."""
    small = cv2.imread(str(sample))[..., ::-1]
    image = np.ascontiguousarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    engine, model = InferenceEngine(), LoadModel("seednet")

    def ask(request: object) -> object:
        return engine(request, lambda: False, lambda _event: None)

    encoding, reading = None, []
    for number in range(readings + 2):
        begin = perf_counter()
        encoding = ask(EncodeImage(image, f"picture {number}", model))
        reading.append(perf_counter() - begin)
        sleep(PAUSE_S)
    draw, click = np.random.default_rng(1), []
    with ThreadPoolExecutor(1) as tool:  # the seed tool's own thread
        for number in range(clicks + WARM_UP):
            if number % 3 == 0:
                places = draw.uniform((200, 200), (WIDTH - 200, HEIGHT - 200), (3, 2))
                seeds = [Seed(float(x), float(y), k != 1) for k, (x, y) in enumerate(places)]
            asked = RegionRequest(tuple(seeds[: number % 3 + 1]), None, None, (0, 0, WIDTH, HEIGHT), SCREEN)
            begin = perf_counter()
            tool.submit(answer, encoding, asked).result()
            click.append(perf_counter() - begin)
            sleep(PAUSE_S)
    finding = []
    for _ in range(findings):
        begin = perf_counter()
        ask(FindObjects(encoding))
        finding.append(perf_counter() - begin)
    return {"reading": reading[2:], "click": click[WARM_UP:], "finding": finding}


class TrainingHere:
    """A fine-tuning in a thread of this process, as the window runs it."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._stop = threading.Event()
        self._learns = threading.Event()
        self._request = TrainRequest(folder, 60.0, "seednet", store, discard=self._stop)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        run_training_job(self._request, self._stop.is_set, self._tell)

    def _tell(self, event: object) -> None:
        if isinstance(event, TrainingProgress) and event.phase == "training" and event.step > 1:
            self._learns.set()

    def __enter__(self) -> None:
        self._thread.start()
        if not self._learns.wait(300):
            raise RuntimeError("the training did not begin")

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--train", type=Path, help="folder to learn from meanwhile")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--counts", type=int, nargs=3, default=(8, 60, 2))
    options = parser.parse_args()
    favour_the_window()
    if options.train:
        with TrainingHere(options.train, options.store):
            result = measure(options.sample, *options.counts)
    else:
        result = measure(options.sample, *options.counts)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
