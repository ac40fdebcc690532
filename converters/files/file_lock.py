"""One holder of an open file, across processes and windows; the lock ends with the process that held it."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    # A byte far behind any content: Windows would keep others from reading locked bytes.
    _PLACE = 1 << 40

    def try_lock(descriptor: int) -> bool | None:
        """Whether the open file is now ours alone; None where files cannot be locked. Never waits."""
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool | None:
        """Whether the open file is now ours alone; None where files cannot be locked. Never waits."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None  # some network folders know no locks
        return True


def lock_exclusively(descriptor: int) -> bool:
    """Whether nobody else holds the open file: better unguarded than not at all. Never waits."""
    return try_lock(descriptor) is not False
