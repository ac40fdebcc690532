"""How far a picture's labels have been checked; kept in its annotation file under `seedhue`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from app.appearance.i18n import phrase
from app.appearance.title import Title
from converters.formats.own_facts import KEY
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from converters.annotation import ImageAnnotation

_REVIEW: Final = "review"


class ReviewStatus(Enum):
    """What a reviewer said."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """A reviewer's verdict on one picture.

    Attributes:
        status: open until somebody has looked.
        note: what is wrong, in the reviewer's words; may be empty.
    """

    status: ReviewStatus = ReviewStatus.OPEN
    note: str = ""

    @property
    def title(self) -> Title:
        """Names the step that sets it, as the command is called."""
        return Title(
            {
                ReviewStatus.OPEN: phrase("Reopen the review"),
                ReviewStatus.APPROVED: phrase("Mark as reviewed"),
                ReviewStatus.REJECTED: phrase("Mark to be redone"),
            }[self.status]
        )


def review_of(annotation: ImageAnnotation) -> Review:
    """The picture's review; open if there is none or it makes no sense."""
    return review_of_facts(annotation.extra.get(KEY))


def review_of_facts(facts: object) -> Review:
    """The review inside the value of a file's key `seedhue`."""
    value = facts.get(_REVIEW) if isinstance(facts, dict) else None
    if not isinstance(value, dict):
        return Review()
    note = value.get("note")
    try:
        return Review(ReviewStatus(value.get("status")), note if isinstance(note, str) else "")
    except ValueError:
        return Review()


def with_review(annotation: ImageAnnotation, review: Review) -> ImageAnnotation:
    """The annotation with that review; `document.edit(review.title, ...)` makes it a step."""
    facts = annotation.extra.get(KEY)
    ours = {
        name: value for name, value in (facts if isinstance(facts, dict) else {}).items() if name != _REVIEW
    }
    if review != Review():
        ours[_REVIEW] = {"status": review.status.value} | ({"note": review.note} if review.note else {})
    rest = {name: value for name, value in annotation.extra.items() if name != KEY}
    return replace(annotation, extra=FrozenMap(rest | ({KEY: ours} if ours else {})))
