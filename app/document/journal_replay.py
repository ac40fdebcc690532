"""Reading a journal: from its lines back to the picture's state and its whole history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.document.diff import DiffError
from app.document.history import History, Step
from app.document.instance_codec import decode_annotation
from app.document.journal_records import FORMAT, decode_diff, decode_title, from_line
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError

# What decoding a value of the wrong form raises; a checksum that fits makes that rare.
_BAD_VALUE = (ConverterError, DiffError, KeyError, TypeError, ValueError, IndexError, AttributeError)

Visitor = Callable[[History, ImageAnnotation, bool], None]


class JournalError(ValueError):
    """The file is no journal, or one of another version."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal tells.

    Attributes:
        picture: the picture's path as the journal knows it.
        annotation: the state at the journal's end.
        history: the steps before and after it.
        length: bytes of the file that were understood; whatever follows is torn or damaged.
        lost_lines: whole lines behind that; 0 after a mere crash, which can only tear the last one.
        records: lines understood, the first one included.
    """

    picture: str
    annotation: ImageAnnotation
    history: History
    length: int
    lost_lines: int
    records: int


def replay(content: bytes, visit: Visitor | None = None) -> Replay:
    """Plays a journal from its first line as far as its lines are sound.

    Args:
        content: the file's bytes, cut off anywhere.
        visit: called after every record with the history, the state and whether the record noted
            that a state was saved.

    Raises:
        JournalError: not even the first line is sound.
    """
    lines = content.splitlines(keepends=True)
    header = from_line(lines[0]) if lines else None
    if header is None or header.get("journal") != FORMAT:
        raise JournalError("this is not a journal of this program")
    try:
        state, picture = decode_annotation(header["base"]), str(header["picture"])
        history = History(first_state=int(header["state"]), saved_state=int(header["state"]))
    except _BAD_VALUE as error:
        raise JournalError("the journal's first line makes no sense") from error
    if visit is not None:
        visit(history, state, True)
    length, records = len(lines[0]), 1
    for line in lines[1:]:
        record = from_line(line)
        if record is None:
            break
        try:
            state = _play(record, state, history)
        except _BAD_VALUE:
            break
        if visit is not None:
            visit(history, state, "saved" in record)
        length += len(line)
        records += 1
    rest = content[length:]
    return Replay(picture, state, history, length, rest.count(b"\n"), records)


def states_of(records: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """(current, saved) state numbers after the records, without decoding any content."""
    states: list[int] = []
    position = saved = 0
    for record in records:
        if "journal" in record:
            states, position, saved = [record["state"]], 0, record["state"]
        elif "do" in record:
            position += 0 if record.get("merge") else 1
            states[position:] = [record["state"]]
        elif "drop" in record:
            del states[position:]
            position -= 1
        elif "undo" in record:
            position -= 1
        elif "redo" in record:
            position += 1
        elif "saved" in record:
            saved = record["saved"]
    return states[position], saved


def _play(record: dict[str, Any], state: ImageAnnotation, history: History) -> ImageAnnotation:
    """The state after one record; the history follows only if the record makes sense."""
    if "do" in record:
        number, title = int(record["state"]), decode_title(record["do"])
        merges = bool(record.get("merge"))
        before = _last(history).diff.reversed().applied_to(state) if merges else state
        diff = decode_diff(record["diff"], before)
        after = diff.applied_to(before)
        step = Step(title, diff, number)
        if merges:
            history.replace_last(step)
        else:
            history.push(step)
        return after
    if "drop" in record:
        before = _last(history).diff.reversed().applied_to(state)
        history.drop_last()
        return before
    if "undo" in record:
        before = _last(history).diff.reversed().applied_to(state)
        history.undo()
        return before
    if "redo" in record:
        if history.next is None:
            raise DiffError("nothing to redo")
        after = history.next.diff.applied_to(state)
        history.redo()
        return after
    if "saved" in record:
        history.saved_state = int(record["saved"])
        return state
    raise DiffError("an unknown record")


def _last(history: History) -> Step:
    if history.last is None:
        raise DiffError("nothing to undo")
    return history.last
