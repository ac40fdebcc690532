"""How torch's threads wait for each other after every operation: shortly awake, then asleep.

By themselves, OpenMP's threads stay awake for milliseconds (GNU's) or for 200 (LLVM's, Intel's). As soon as
another program has one of the cores, they wait awake for a thread that has none, after each of a picture's
thousand operations (docs/experiments/busy-machine.md). The runtimes read how to wait when they are loaded,
with torch; so this module brings no torch.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

GNU_SPINS: Final = "1000"
"""Looks for the other thread before going to sleep: 66 µs on a Xeon of 2023, a tenth of that where the
processor's pause is short."""
LLVM_MILLISECONDS: Final = "1"
"""Before going to sleep. Units below a millisecond came later than the runtime in torch for macOS."""
SHORT: Final = {"GOMP_SPINCOUNT": GNU_SPINS, "KMP_BLOCKTIME": LLVM_MILLISECONDS}
USERS: Final = (*SHORT, "OMP_WAIT_POLICY", "KMP_LIBRARY")


def wait_shortly(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Settle it before torch is imported, for this process and those it starts, unless somebody has.

    Returns:
        Whether it is settled by this; False where it stays what the environment says, or torch is there.
    """
    if "torch" in sys.modules or any(name in environment for name in USERS):
        return False
    environment.update(SHORT)
    return True


def way_of_waiting(environment: MutableMapping[str, str] = os.environ) -> str:
    """How threads wait, and who said so."""
    told = {name: environment[name] for name in USERS if name in environment}
    variables = ", ".join(f"{name}={value}" for name, value in told.items())
    if told == SHORT:
        return f"they wait shortly for each other, by SeedHue's choice: {variables}"
    if told:
        return f"they wait for each other as the environment says: {variables}"
    return "they wait long for each other, as torch was imported before SeedHue"
