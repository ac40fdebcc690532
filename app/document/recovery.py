"""Opening a picture with everything an earlier session left: unsaved work, undo and redo."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.diff import PICTURE_FIELDS, difference
from app.document.document import Document, with_unique_ids
from app.document.file_lock import lock_exclusively
from app.document.history import History, Recovery, Step
from app.document.journal import (
    Journal,
    ProblemCallback,
    absolute_path,
    journal_file,
    open_for_appending,
)
from app.document.journal_records import header_record, step_record, to_line
from app.document.journal_replay import JournalError, replay
from converters.errors import ConverterError
from converters.files.files import set_aside, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from converters.annotation import ImageAnnotation, Instance

# A journal is written anew when this many of its lines, and most of them, lead nowhere any more.
COMPACT_LINES: Final = 200


def open_document(
    picture_path: Path,
    annotation: ImageAnnotation,
    journal_dir: Path,
    *,
    in_file: bool = True,
    on_problem: ProblemCallback | None = None,
) -> Document:
    """The picture's document, with the unsaved work and the history its journal holds.

    Meant for the thread that loads pictures. `document.recovery` says what came back. Close the
    document before opening the same picture again: its journal has one writer.

    Args:
        annotation: what the annotation file holds now (without instances if there is none).
        in_file: False if that file is damaged: then `annotation` only tells the picture's size, and
            what the journal knows comes back as unsaved work.
        on_problem: called once if the journal cannot be written later on (disk full).
    """
    annotation = with_unique_ids(annotation)
    file = journal_file(picture_path, journal_dir)
    try:
        found = _open_existing(file)
    except BlockingIOError:
        document = Document(annotation, path=picture_path)
        document.recovery = Recovery(problem=Title(phrase("this picture is open in another window")))
        return document
    except OSError as error:
        document = Document(annotation, path=picture_path)
        document.recovery = Recovery(problem=_unusable(file, error))
        return document

    kept: Path | None = None
    if found is not None:
        try:
            return _restored(picture_path, annotation, found, in_file=in_file, on_problem=on_problem)
        except JournalError:
            os.close(found.descriptor)
            if found.content:
                kept = set_aside(file)
            else:
                file.unlink()
        except OSError as error:
            with suppress(OSError):  # writing it anew may have closed it
                os.close(found.descriptor)
            document = Document(annotation, path=picture_path)
            document.recovery = Recovery(problem=_unusable(file, error))
            return document
    document = Document(annotation, path=picture_path)
    document.recorder = Journal.begun(
        file, picture=picture_path, annotation=annotation, on_problem=on_problem
    )
    document.recovery = Recovery(set_aside=str(kept or ""))
    return document


def _unusable(file: Path, error: OSError) -> Title:
    reason = error.strerror or str(error)
    return Title(phrase("the journal {file} cannot be used: {reason}"), file=str(file), reason=reason)


@dataclass(frozen=True, slots=True)
class _Found:
    """A journal of an earlier session: open, locked, read."""

    file: Path
    descriptor: int
    content: bytes


def _open_existing(file: Path) -> _Found | None:
    """The journal if there is one.

    Raises:
        BlockingIOError: another window writes it.
    """
    if not file.exists():
        return None
    descriptor = open_for_appending(file)
    try:
        if not lock_exclusively(descriptor):
            raise BlockingIOError
        if not os.fstat(descriptor).st_nlink:  # old_journals has just deleted it
            os.close(descriptor)
            return None
        return _Found(file, descriptor, file.read_bytes())
    except BaseException:
        os.close(descriptor)
        raise


def _restored(
    picture: Path,
    annotation: ImageAnnotation,
    found: _Found,
    *,
    in_file: bool,
    on_problem: ProblemCallback | None,
) -> Document:
    comparison = _Comparison(annotation)
    played = replay(found.content, comparison.visit)
    state, history = played.annotation, played.history
    size = annotation.height, annotation.width
    if (state.height, state.width) != size or played.picture != str(absolute_path(picture)):
        raise JournalError("the journal belongs to another picture")
    if played.lost_lines:
        # What follows the damage cannot be played, but a person may want to look at it.
        found.file.with_name(f"{found.file.name}.damaged").write_bytes(found.content)
    os.ftruncate(found.descriptor, played.length)
    state = replace(state, image_path=annotation.image_path, image_data=annotation.image_data)

    noted = history.saved_state
    equal = comparison.equal_states
    if not in_file:
        history.saved_state = history.new_state()  # no state there is
    elif history.state in equal:
        history.saved_state = history.state
    elif equal and noted not in equal:
        # The program died between writing the annotation file and noting so.
        history.saved_state = max(equal)
    descriptor = found.descriptor
    # The state in the annotation file must stay recognisable; the next save makes it so again.
    reachable = {history.first_state, *(step.state for step in history.steps)}
    if history.saved_state in reachable and played.records > max(COMPACT_LINES, 3 * len(history.steps)):
        descriptor = _compacted(found, picture, state, history)
        noted = history.saved_state
    journal = Journal.continued(found.file, descriptor, on_problem=on_problem)
    changed_outside = in_file and not equal
    if changed_outside:
        title = Title(phrase("Take over changes from outside"))
        step = Step(title, difference(state, annotation), history.new_state())
        history.push(step)
        history.saved_state = step.state
        journal.applied(step, replaces_last=False)
        state = annotation
    if history.saved_state != noted:
        journal.saved(history.saved_state)

    document = Document(state, path=picture, history=history)
    document.recorder = journal
    document.recovery = Recovery(
        restored=document.is_modified,
        steps=len(history.steps),
        changed_outside=changed_outside,
        lost_lines=played.lost_lines,
    )
    return document


def _compacted(found: _Found, picture: Path, state: ImageAnnotation, history: History) -> int:
    """Writes the journal anew without what leads nowhere; the new, locked descriptor."""
    first = state
    for step in reversed(history.steps[: history.position]):
        first = step.diff.reversed().applied_to(first)
    lines = [to_line(header_record(str(absolute_path(picture)), first, history.first_state))]
    lines += [to_line(step_record(step)) for step in history.steps]
    lines += [to_line({"undo": True})] * (len(history.steps) - history.position)
    lines.append(to_line({"saved": history.saved_state}))
    os.close(found.descriptor)  # Windows replaces no open file
    with suppress(ConverterError):  # a full disk: the long journal is as good as the short one
        write_atomic(found.file, b"".join(lines))
    descriptor = open_for_appending(found.file)
    lock_exclusively(descriptor)
    return descriptor


class _Comparison:
    """Which of the states a journal goes through may be the one in the annotation file.

    A state from before the one last noted as saved is not: if the file holds that, somebody else has
    put it back.
    """

    def __init__(self, annotation: ImageAnnotation) -> None:
        self._target = annotation
        self._equal_states: set[int] = set()
        self._visits = 0
        self._last_visit: dict[int, int] = {}
        self._since = 0
        # Steps share the instances they leave alone: each version is compared once.
        self._known: dict[str, tuple[Instance, Instance, bool]] = {}

    @property
    def equal_states(self) -> set[int]:
        """The numbers of those states."""
        return {state for state in self._equal_states if self._last_visit[state] >= self._since}

    def visit(self, history: History, state: ImageAnnotation, saved: bool) -> None:
        """Takes note of the state after one record."""
        if saved:
            # From when on the saved state was current: a saver is told to write the next one
            # before the last one is noted.
            self._since = self._last_visit.get(history.saved_state, self._visits)
        self._visits += 1
        self._last_visit[history.state] = self._visits
        if (
            len(state.instances) == len(self._target.instances)
            and all(getattr(state, name) == getattr(self._target, name) for name in PICTURE_FIELDS)
            and all(map(self._equal, state.instances, self._target.instances))
        ):
            self._equal_states.add(history.state)

    def _equal(self, one: Instance, other: Instance) -> bool:
        known = self._known.get(one.id)
        if known is None or known[0] is not one or known[1] is not other:
            known = self._known[one.id] = (one, other, one == other)
        return known[2]
