"""How many threads torch computes with: no more than find a core, and what the user says comes first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from converters.machine import granted_cores
from models.device.waiting import way_of_waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

USERS_NUMBER: Final = "OMP_NUM_THREADS"
RUNTIMES: Final = {"libgomp": "GNU", "libiomp5": "Intel", "libomp": "LLVM", "vcomp": "Microsoft"}


def is_users_number() -> bool:
    """Whether the environment says how many threads to take."""
    return bool(os.environ.get(USERS_NUMBER))


@cache
def all_threads() -> int:
    """What torch took by itself before anybody changed it, but no more than a container's quota; or what
    OMP_NUM_THREADS says."""
    number = torch.get_num_threads()
    return number if is_users_number() else min(number, granted_cores().cores)


def stay_within_quota() -> None:
    """Where a container shows more cores than it gives, torch would take one thread for each it shows."""
    if all_threads() < torch.get_num_threads():
        torch.set_num_threads(all_threads())


@dataclass(frozen=True, slots=True)
class Computing:
    """How torch computes on the processor, for a report.

    Attributes:
        threads: at most.
        why: what settles the number.
        runtime: of OpenMP, "" where torch has none.
        waiting: how threads wait for each other.
    """

    threads: int
    why: str
    runtime: str
    waiting: str


def computing() -> Computing:
    """What is in force, and why."""
    cores = granted_cores()
    if is_users_number():
        why = f"{USERS_NUMBER} says so"
    elif cores.quota is not None and cores.cores < cores.bound:
        why = f"the container may use {cores.quota:g} of {cores.machine} cores"
    elif cores.bound < cores.machine:
        why = f"this process is bound to {cores.bound} of {cores.machine} cores"
    else:
        why = f"the machine has {cores.machine}"
    return Computing(all_threads(), why, _runtime(), way_of_waiting())


def _runtime() -> str:
    """The OpenMP that is loaded, or, where the system does not list that, the one that lies beside torch."""
    if not torch.backends.openmp.is_available():  # type: ignore[no-untyped-call]
        return ""
    maps = Path("/proc/self/maps")
    if maps.exists():
        return _named(Path(line.split()[-1]).name for line in maps.read_text().splitlines() if "/" in line)
    return _named(path.name for path in (Path(torch.__file__).parent / "lib").iterdir())


def _named(files: Iterable[str]) -> str:
    names = list(files)
    return next((title for stem, title in RUNTIMES.items() if any(n.startswith(stem) for n in names)), "")
