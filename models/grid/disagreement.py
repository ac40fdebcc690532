"""What the other clicks say against a hypothesis, a mask that one click may mean.

It should cover the clicks of the same sign and leave out the rest. Whatever it does wrong is taken off the
IoU it is believed to have, so that no belief grows beyond what the network predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# In units of IoU: what missing all clicks of the same sign costs, and covering all of the other.
MISSED_SAME, COVERED_OTHER = 0.3, 0.6


def disagreement(others: Sequence[tuple[bool, NDArray[np.bool_]]]) -> NDArray[np.float32] | np.float32:
    """How much to take off, at least 0.

    Args:
        others: one entry per other click: whether it has the same sign, and which of the hypotheses cover
            it, in an array of any shape, the same for all.

    Returns:
        An array of that shape; the number 0 if there are no other clicks.
    """
    total: NDArray[np.float32] | np.float32 = np.float32(0.0)
    for wanted, cost in ((True, MISSED_SAME), (False, COVERED_OTHER)):
        wrong = [covered != wanted for same, covered in others if same == wanted]
        if wrong:
            total = total + cost * np.mean(wrong, axis=0, dtype=np.float32)
    return total
