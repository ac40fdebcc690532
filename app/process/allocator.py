"""Keeps freed memory in the process, where glibc would hand every large block back to the system.

Reading a picture and each step of a training take and free hundreds of megabytes in blocks of many sizes.
Fresh memory from the system comes page by page, each filled with zeros: a sixth of the time.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Numbers of mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
MEBIBYTE = 2**20

SETTINGS = (
    # The largest there is; larger blocks are kept as well once there is room for them.
    (M_MMAP_THRESHOLD, 32 * MEBIBYTE),
    # What may lie free at the end: reading a picture needs less.
    (M_TRIM_THRESHOLD, 512 * MEBIBYTE),
    (M_TOP_PAD, 64 * MEBIBYTE),
    # The pictures are read in threads that end; what lies free in heaps of their own would be lost.
    (M_ARENA_MAX, 1),
)


# Bytes in memory from which on what lies free is given back: the model and a few encoded pictures need less.
# Reading the next one takes 200 MB more for a while; together that must stay below 1 GB.
ENOUGH = 768 * MEBIBYTE


def keep_freed_memory() -> bool:
    """Tell glibc, before there are other threads; whether it listened. Elsewhere it does nothing."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(mallopt(name, value) == 1 for name, value in SETTINGS)


def give_back_memory(enough: int = ENOUGH) -> bool:
    """Gives what lies free back to the system if the process has more in memory than enough; whether it did.

    Takes some milliseconds for each hundred megabytes, in which no thread can allocate: for moments in which
    large things have just been let go.
    """
    if sys.platform != "linux" or _in_memory() <= enough:
        return False
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return False
    return bool(trim(0))


def _in_memory() -> int:
    """Bytes of the process that lie in memory."""
    try:
        with open("/proc/self/statm", encoding="ascii") as facts:
            return int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
