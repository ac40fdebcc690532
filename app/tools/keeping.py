"""From a region in every pixel to the document: a new object, or a new mask for the one being tuned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.appearance.i18n import phrase
from app.appearance.title import Title
from converters.annotation import Instance, Provenance, new_instance_id

if TYPE_CHECKING:
    from app.document.document import Document
    from app.editing.region_answers import RegionResult
    from converters.annotation import Mask


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Where a region goes once every pixel of it is known.

    Attributes:
        document: the picture it was made in; another may be open by then.
        label: of the object.
        instance_id: the object that is being tuned; None makes a new one.
        selection: what was selected when it was kept.
    """

    document: Document
    label: str
    instance_id: str | None = None
    selection: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WholeRegion:
    """A region that goes into a document.

    Attributes:
        result: the answer, with the numbers that made it.
        mask: the same as a mask of the picture.
    """

    result: RegionResult
    mask: Mask

    @property
    def provenance(self) -> Provenance:
        """How the object came about."""
        result = self.result
        return Provenance(
            "seeds",
            seeds=result.request.seeds,
            tau=result.tau,
            level=result.level,
            model=result.encoding.version,
        )


def put(goal: Goal, region: WholeRegion) -> Instance | None:
    """Bring a region to its goal, as one undoable step; all of one tuning is one.

    Returns:
        The object; None if the mask is empty, or if what was tuned is gone.

    Raises:
        LockedError: what was tuned has been locked.
    """
    if region.mask.is_empty:
        return None
    if goal.instance_id is None:
        made = Instance(new_instance_id(), goal.label, region.mask, provenance=region.provenance)
        goal.document.add(made)
        return made
    known = goal.document.annotation.instance(goal.instance_id)
    if known is None:
        return None
    tuned = replace(known, geometry=region.mask, provenance=region.provenance)
    title = Title(phrase("Tune {label}"), label=known.label)
    goal.document.replace(tuned, title=title, merge_key=f"tune:{known.id}")
    return tuned
