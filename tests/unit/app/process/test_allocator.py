"""Freed memory stays in the process: where glibc is, taking a large block again costs no fresh pages."""

import subprocess
import sys

import pytest

from app.process.allocator import keep_freed_memory

SCRIPT = """
import ctypes, resource, sys, threading
from app.process.allocator import keep_freed_memory

def touch(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
    ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
)
if "keep" in sys.argv:
    assert keep_freed_memory()
sizes = [30 << 20, 10 << 20, 20 << 20]

def work():
    for size in sizes:
        touch(size)

def in_thread():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

in_thread()
before = faults()
in_thread()
print(faults() - before)
"""


def pages(*arguments):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return int(run.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_a_thread_that_takes_what_another_freed_gets_it_without_fresh_pages():
    assert pages("keep") < 0.1 * pages()
