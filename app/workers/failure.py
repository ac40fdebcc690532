"""An error of a worker as a message a user can act on."""

from __future__ import annotations

import errno
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from app.appearance.i18n import tr
from converters.errors import ConverterError


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, what to do, and the details for a bug report.

    Attributes:
        title: one sentence.
        remedy: what the user can do; may be empty.
        details: traceback or other text to copy.
        path: the file at fault, if there is one.
        kind: the exception's class name.
    """

    title: str
    remedy: str = ""
    details: str = ""
    path: Path | None = None
    kind: str = ""


def describe_failure(error: BaseException) -> Failure:
    """The message for an exception, in the user's words where its kind is known."""
    try:
        failure = _describe(error)
    except Exception:  # noqa: BLE001  the error cannot even say what it is
        failure = _unexpected(type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return replace(failure, kind=type(error).__name__)


def _describe(error: BaseException) -> Failure:
    details = "".join(traceback.format_exception(error))
    if isinstance(error, ConverterError) and _is_full(error.__cause__):
        name = error.path.name if error.path else ""
        full = tr("The disk is full: {name} could not be written.", name=name)
        return Failure(full, tr("Free some space, then choose Retry."), details, error.path)
    if isinstance(error, ConverterError):
        place = f"{error.path.name}: " if error.path else ""
        where = f" ({error.where})" if error.where else ""
        return Failure(f"{place}{error.problem}{where}", error.remedy, details, error.path)
    if isinstance(error, MemoryError):
        return Failure(
            tr("There is not enough memory for this."), tr("Close other programs and try again."), details
        )
    if isinstance(error, OSError):
        path = Path(str(error.filename)) if error.filename else None
        return Failure(_explain_os_error(error, path), _remedy_for(error), details, path)
    if _is_segmenter_error(error, "CheckpointError"):
        path = getattr(error, "path", Path())
        return Failure(
            tr("{name}: the training cannot go on from this checkpoint.", name=path.name),
            tr("Begin the training anew, or remove what is left of it."),
            details,
            path,
        )
    if _is_segmenter_error(error, "TrainingError"):
        return Failure(
            tr("The training learnt nothing: its numbers went out of bounds."),
            tr("The model from before stays in use. Check what is annotated, then train again."),
            details,
        )
    if isinstance(error, ValueError) or _is_segmenter_error(error):
        return Failure(str(error) or type(error).__name__, "", details)
    return _unexpected(str(error) or type(error).__name__, details)


def _unexpected(error: str, details: str) -> Failure:
    return Failure(
        tr("Something unexpected went wrong: {error}", error=error),
        tr("Your annotations are safe. Please copy the details into a bug report."),
        details,
    )


def _is_segmenter_error(error: BaseException, kind: str = "SegmenterError") -> bool:
    """Whether the networks' floor raised it on purpose; asking must not import torch."""
    errors = sys.modules.get("models.errors")
    return errors is not None and isinstance(error, getattr(errors, kind))


def _is_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _explain_os_error(error: OSError, path: Path | None) -> str:
    name = path.name if path else ""
    if _is_full(error):
        return tr("The disk is full: {name} could not be written.", name=name)
    if isinstance(error, PermissionError):
        return tr("No permission for {name}.", name=name)
    if isinstance(error, FileNotFoundError):
        return tr("{name} is not there any more.", name=name)
    return f"{name}: {error.strerror or error}" if name else str(error)


def _remedy_for(error: OSError) -> str:
    if _is_full(error):
        return tr("Free some space, then choose Retry.")
    if isinstance(error, PermissionError):
        return tr("Change the permissions of the file or its folder, or choose another folder.")
    if isinstance(error, FileNotFoundError):
        return tr("Check whether it was moved, renamed or on a disk that is not connected.")
    return ""
