"""The doors into the program: `main.py` and the console scripts. Each guards the environment, then runs."""

from __future__ import annotations

import sys
from multiprocessing import freeze_support

from app.process.environment import guard_environment
from app.process.priority import stand_back


def main() -> int:
    """`seedhue` and `python main.py`: a command, or the window; the exit code."""
    _prepare()
    if sys.argv[1:2] == ["train"]:
        stand_back()
    from app.commands.main import main as run_command

    return run_command(sys.argv[1:])


def labelme_json_to_dataset() -> int:
    """The console script of that name."""
    _prepare()
    from app.commands.convert import labelme_json_to_dataset as run_command

    return run_command(sys.argv[1:])


def _prepare() -> None:
    freeze_support()  # the converter's workers are this program with other arguments where it is frozen
    guard_environment()
