"""Opening a picture with everything an earlier session left: unsaved work, undo and redo."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.diff import PICTURE_FIELDS, difference
from app.document.document import Document, with_unique_ids
from app.document.history import History, Recovery, Step
from app.document.journal import (
    Journal,
    ProblemCallback,
    absolute_path,
    journal_file,
    open_for_appending,
)
from app.document.journal_lock import JournalLock
from app.document.journal_records import header_record, step_record, to_line
from app.document.journal_replay import JournalError, replay
from app.document.moved_journals import bring_moved_journal
from converters.errors import ConverterError
from converters.files.files import set_aside, write_atomic

if TYPE_CHECKING:
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
        on_problem: told if the journal cannot be written later on (disk full); what is wrong from the
            beginning is the document's `journal_problem`.
    """
    annotation = with_unique_ids(annotation)
    file = journal_file(picture_path, journal_dir)
    try:
        lock = JournalLock.of(file)
    except OSError as error:
        return _begun(picture_path, annotation, file, refused=error, on_problem=on_problem)
    try:
        document = _from_journal(
            picture_path, annotation, _Found(file, lock), in_file=in_file, on_problem=on_problem
        )
    except OSError as error:
        lock.release()
        return _begun(picture_path, annotation, file, refused=error, on_problem=on_problem)
    except BaseException:
        lock.release()
        raise
    return document


def _from_journal(
    picture: Path,
    annotation: ImageAnnotation,
    found: _Found,
    *,
    in_file: bool,
    on_problem: ProblemCallback | None,
) -> Document:
    """The document as the journal knows it, or a new one if there is no journal.

    Raises:
        OSError: the journal cannot be used.
    """
    kept = ""
    if found.read(picture):
        try:
            return _restored(picture, annotation, found, in_file=in_file, on_problem=on_problem)
        except JournalError:
            found.close()
            if found.content:
                kept = str(set_aside(found.file))
            else:
                found.file.unlink()
        except BaseException:
            found.close()
            raise
    document = _begun(picture, annotation, found.file, lock=found.lock, on_problem=on_problem)
    document.recovery = Recovery(set_aside=kept)
    return document


def _begun(
    picture: Path,
    annotation: ImageAnnotation,
    file: Path,
    *,
    lock: JournalLock | None = None,
    refused: OSError | None = None,
    on_problem: ProblemCallback | None,
) -> Document:
    """A document without a past; without a journal, too, as long as that is refused."""
    document = Document(annotation, path=picture)
    document.recorder = Journal.begun(
        file, picture=picture, annotation=annotation, lock=lock, refused=refused, on_problem=on_problem
    )
    return document


@dataclass(slots=True)
class _Found:
    """A journal of an earlier session, if there is one, whose lock is ours."""

    file: Path
    lock: JournalLock
    content: bytes = b""
    _descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file."""
        assert self._descriptor is not None
        return self._descriptor

    def open(self) -> None:
        self._descriptor = open_for_appending(self.file)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def read(self, picture: Path) -> bool:
        """Opens and reads it, also one from before the picture was moved; whether it is there."""
        if not self.file.exists():
            bring_moved_journal(picture, self.file)
        if not self.file.exists():
            return False
        self.open()
        self.content = self.file.read_bytes()
        return True


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
    # It may have been moved, but its name is the same.
    if (state.height, state.width) != size or Path(played.picture).name != picture.name:
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
    # The state in the annotation file must stay recognisable; the next save makes it so again.
    reachable = {history.first_state, *(step.state for step in history.steps)}
    if history.saved_state in reachable and played.records > max(COMPACT_LINES, 3 * len(history.steps)):
        _compact(found, picture, state, history)
        noted = history.saved_state
    journal = Journal(found.file, lock=found.lock, descriptor=found.descriptor, on_problem=on_problem)
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


def _compact(found: _Found, picture: Path, state: ImageAnnotation, history: History) -> None:
    """Writes the journal anew without what leads nowhere; its lock, a file of its own, stays."""
    first = state
    for step in reversed(history.steps[: history.position]):
        first = step.diff.reversed().applied_to(first)
    lines = [to_line(header_record(absolute_path(picture), first, history.first_state))]
    lines += [to_line(step_record(step)) for step in history.steps]
    lines += [to_line({"undo": True})] * (len(history.steps) - history.position)
    lines.append(to_line({"saved": history.saved_state}))
    found.close()  # Windows replaces no open file
    with suppress(ConverterError):  # a full disk: the long journal is as good as the short one
        write_atomic(found.file, b"".join(lines))
    found.open()


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
