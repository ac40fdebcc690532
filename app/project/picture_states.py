"""How far a picture is: derived from its annotation, or from a glance at its annotation file."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from app.project.review import ReviewStatus, review_of, review_of_facts
from converters.errors import ConverterError
from converters.files.files import decode_text, parse_json, read_bytes
from converters.formats.own_facts import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from converters.annotation import ImageAnnotation

_EMPTY: Final = re.compile(rb'"shapes"\s*:\s*\[\s*\]')


class PictureState(Enum):
    """How far a picture is."""

    NONE = "none"
    ANNOTATED = "annotated"
    REVIEWED = "reviewed"
    REJECTED = "rejected"
    MODIFIED = "modified"
    EMPTIED = "emptied"
    """Not saved yet, and not annotated any more."""
    BROKEN = "broken"

    @property
    def is_annotated(self) -> bool:
        """Whether a picture counts as annotated, saved or not: whoever counts pictures asks here."""
        return self not in (PictureState.NONE, PictureState.EMPTIED, PictureState.BROKEN)


def has_content(annotation: ImageAnnotation) -> bool:
    """Whether there is anything on a picture: an object, one that could not be read, a flag that is set."""
    return bool(annotation.instances or annotation.rejected or any(annotation.flags.values()))


def state_of(annotation: ImageAnnotation) -> PictureState:
    """How far a picture with that annotation is; one without objects may be reviewed all the same."""
    return _state(review_of(annotation).status, has_content(annotation))


def glance(file: Path) -> PictureState:
    """An annotation file's state without building its objects.

    The whole text is parsed only if it mentions a review or has no shapes: folders hold thousands of
    these files.
    """
    try:
        content = read_bytes(file)
        if b'"review"' in content or _EMPTY.search(content):
            document: Any = parse_json(decode_text(content, path=file), path=file)
            facts = document.get(KEY) if isinstance(document, dict) else None
            return _state(review_of_facts(facts).status, _has_content(document, facts))
    except ConverterError:
        return PictureState.BROKEN
    whole = content.rstrip().endswith(b"}") and b'"shapes"' in content
    return PictureState.ANNOTATED if whole else PictureState.BROKEN


def _has_content(document: Any, facts: Any) -> bool:
    if not isinstance(document, dict):
        return False
    flags = document.get("flags")
    set_flag = isinstance(flags, dict) and any(flags.values())
    return bool(document.get("shapes") or set_flag or (isinstance(facts, dict) and facts.get("rejected")))


def _state(review: ReviewStatus, content: bool) -> PictureState:
    if review is ReviewStatus.APPROVED:
        return PictureState.REVIEWED
    if review is ReviewStatus.REJECTED:
        return PictureState.REJECTED
    return PictureState.ANNOTATED if content else PictureState.NONE
