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


GIVING_BACK = """
import ctypes, sys
from app.process import allocator

allocator.keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
    ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
)
blocks = []
for number in range(20):
    blocks.append(libc.malloc(8 << 20))
    ctypes.memset(blocks[-1], 1, 8 << 20)
for block in blocks:
    libc.free(block)
before = allocator._in_memory()
assert not allocator.give_back_memory(before + (64 << 20)), "there was no need"
assert allocator._in_memory() > before - (16 << 20)
assert allocator.give_back_memory(before - (64 << 20))
print(before - allocator._in_memory())
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_what_lies_free_is_given_back_when_there_is_much_of_it():
    run = subprocess.run(
        [sys.executable, "-c", GIVING_BACK], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(run.stdout) > 100 << 20
