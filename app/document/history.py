"""Unlimited undo and redo of one picture, as diffs.

A history knows no picture state: it is the list of steps, the place in it and the number of each
state. Numbers are never reused, so "the state that was saved" stays recognisable after any
sequence of edits, undos and redos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.appearance.title import Title
    from app.document.diff import AnnotationDiff


@dataclass(frozen=True, slots=True)
class Step:
    """One undoable edit.

    Attributes:
        title: what the user did, for the menu ("Undo Add person").
        diff: the way from the state before to the state after.
        state: the number of the state after.
    """

    title: Title
    diff: AnnotationDiff
    state: int


class Recorder(Protocol):
    """Is told of everything that happens to a history, in order (app/document/journal.py)."""

    def applied(self, step: Step, *, replaces_last: bool) -> None:
        """A new step; with `replaces_last`, instead of the last one (a slider drag goes on)."""

    def dropped(self) -> None:
        """The last step was taken out: a drag came back to where it began."""

    def undone(self) -> None:
        """One step back."""

    def redone(self) -> None:
        """One step forward."""

    def saved(self, state: int) -> None:
        """The state of that number is now in the annotation file."""

    @property
    def problem(self) -> str:
        """Why what happened cannot be written down, a `Title`; empty while all is well."""

    @property
    def is_complete(self) -> bool:
        """Whether all that happened is written down."""

    def try_again(self) -> None:
        """Writes down what could not be written before."""

    def close(self) -> None:
        """Nothing more will happen."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a picture brought back from an earlier session, for the window to tell.

    Attributes:
        restored: work that is not in the annotation file is back.
        steps: how many steps of undo and redo history came back.
        changed_outside: the annotation file is none of the states known here; its content is
            current and what this program had is one undo away.
        lost_lines: damaged journal lines that could not be read. A crash alone loses none.
        set_aside: where a journal that could not be used was kept; empty if none.
    """

    restored: bool = False
    steps: int = 0
    changed_outside: bool = False
    lost_lines: int = 0
    set_aside: str = ""


class History:
    """The steps of one picture and where we are among them.

    Attributes:
        steps: all steps, the undone ones last.
        position: how many of them are done.
        saved_state: the number of the state that is in the annotation file.
    """

    def __init__(
        self,
        steps: tuple[Step, ...] = (),
        *,
        position: int | None = None,
        first_state: int = 0,
        saved_state: int = 0,
        next_state: int | None = None,
    ) -> None:
        self.steps: list[Step] = list(steps)
        self.position = len(steps) if position is None else position
        self.saved_state = saved_state
        self._first_state = first_state
        if not 0 <= self.position <= len(self.steps):
            raise ValueError(f"position {self.position} lies outside a history of {len(steps)} steps")
        highest = max([first_state, saved_state, *(step.state for step in steps)])
        self._next_state = max(highest + 1, next_state or 0)

    @property
    def first_state(self) -> int:
        """The number of the state before the first step."""
        return self._first_state

    @property
    def state(self) -> int:
        """The number of the current state; equal numbers mean equal content."""
        return self.steps[self.position - 1].state if self.position else self._first_state

    @property
    def last(self) -> Step | None:
        """The step that undo would take back."""
        return self.steps[self.position - 1] if self.position else None

    @property
    def next(self) -> Step | None:
        """The step that redo would do again."""
        return self.steps[self.position] if self.position < len(self.steps) else None

    def new_state(self) -> int:
        """A state number never used before."""
        self._next_state += 1
        return self._next_state - 1

    def push(self, step: Step) -> None:
        """Adds a step that has just been done; what could be redone is forgotten."""
        self._next_state = max(self._next_state, step.state + 1)
        self.steps[self.position :] = [step]
        self.position += 1

    def replace_last(self, step: Step) -> None:
        """Puts a step in the place of the last one done; what could be redone is forgotten."""
        self.drop_last()
        self.push(step)

    def drop_last(self) -> None:
        """Takes the last step done out, with everything that could be redone."""
        if not self.position:
            raise IndexError("there is no step to take out")
        self.position -= 1
        del self.steps[self.position :]

    def undo(self) -> Step | None:
        """Goes one step back and returns that step; None at the beginning."""
        step = self.last
        if step is not None:
            self.position -= 1
        return step

    def redo(self) -> Step | None:
        """Goes one step forward and returns that step; None at the end."""
        step = self.next
        if step is not None:
            self.position += 1
        return step
