"""Whether this process stands back where another one wants to compute."""

from __future__ import annotations

import sys
from typing import Final

import psutil

LATER: Final = 10  # of 19 steps that a process can stand back


def stand_back() -> bool:
    """Let the windows of this machine compute first, unless somebody chose a priority for this process.

    Returns:
        Whether it stands back because of this.
    """
    process = psutil.Process()
    try:
        if sys.platform == "win32":
            if process.nice() != psutil.NORMAL_PRIORITY_CLASS:
                return False
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        elif process.nice() == 0:
            process.nice(LATER)
        else:
            return False
    except psutil.Error:
        return False
    return True
