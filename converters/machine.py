"""How many processors this process may use: those it is bound to, and no more than a container's quota."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class GrantedCores:
    """What a process may use of a machine.

    Attributes:
        machine: how many it has.
        bound: those among them that the process is bound to.
        quota: how many a container leaves to it, on average; None is no limit.
    """

    machine: int
    bound: int
    quota: float | None = None

    @property
    def cores(self) -> int:
        """How many threads find a core; at least one.

        A quota is rounded down: with more threads than that, all of them stand still for the end of every
        period.
        """
        return self.bound if self.quota is None else max(1, min(self.bound, int(self.quota)))


def granted_cores(root: Path = ROOT) -> GrantedCores:
    """Ask the system; takes well under a millisecond.

    Args:
        root: where `proc` and `sys` are mounted.
    """
    machine = os.cpu_count() or 1
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    return GrantedCores(machine, bound, _quota(root))


def _quota(root: Path) -> float | None:
    """Cores that control groups leave to this process, the least of its own group and those around it."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return None
    quotas = [quota for line in groups for quota in _quotas(root / "sys/fs/cgroup", *line.split(":", 2)[1:])]
    return min(quotas, default=None)


def _quotas(mounted: Path, controllers: str, group: str) -> Iterator[float]:
    """Of one line of /proc/self/cgroup (cgroups(7)): version 2 names no controllers, version 1 does."""
    if not controllers:
        for folder in _folders_up(mounted, group):
            yield from _parsed(_words(folder / "cpu.max"))
    elif "cpu" in controllers.split(","):
        for folder in _folders_up(mounted / controllers, group):
            quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
            yield from _parsed([*quota, *period])


def _folders_up(mounted: Path, group: str) -> Iterator[Path]:
    """The group's folder and all above it; inside a container only the uppermost may be there."""
    path = mounted / group.strip("/")
    yield path
    while path != mounted:
        path = path.parent
        yield path


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _parsed(words: list[str]) -> Iterator[float]:
    """Microseconds granted in each period of microseconds; "max" and -1 mean no limit."""
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]) > 0:
        yield int(words[0]) / int(words[1])
