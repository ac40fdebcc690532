"""One writer per file, across processes and windows; the lock ends with the process that held it."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    # A byte far behind any content: Windows would keep others from reading locked bytes.
    _PLACE = 1 << 40

    def lock_exclusively(descriptor: int) -> bool:
        """Whether the open file is now ours alone; never waits."""
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

    def lock_exclusively(descriptor: int) -> bool:
        """Whether the open file is now ours alone; never waits."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # some network folders know no locks; better unguarded than no journal
        return True
