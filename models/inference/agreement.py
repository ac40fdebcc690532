"""What the other clicks say against a hypothesis, a mask that one click may mean.

It should cover the clicks of the same sign and leave out the rest. Whatever it does wrong is taken off the
IoU it is believed to have, so that no belief grows beyond what the network predicted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# In units of IoU: what missing all clicks of the same sign costs, and covering all of the other.
MISSED_SAME, COVERED_OTHER = 0.3, 0.6


def disagreement(
    same: Sequence[NDArray[np.bool_]], other: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float32] | np.float32:
    """How much to take off, at least 0.

    Args:
        same, other: one entry per click of the same and of the other sign, each of the same shape: which
            of the hypotheses cover it.

    Returns:
        An array of that shape; the number 0 if there are no other clicks.
    """
    total: NDArray[np.float32] | np.float32 = np.float32(0.0)
    if same:
        total = total + MISSED_SAME * (1.0 - np.mean(same, axis=0, dtype=np.float32))
    if other:
        total = total + COVERED_OTHER * np.mean(other, axis=0, dtype=np.float32)
    return total
