"""What opening a picture brought back from an earlier session, for the window to tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recovery:
    """The outcome of reading a picture's journal.

    Attributes:
        restored: work that was not in the annotation file is back.
        steps: how many steps of undo and redo history came back.
        changed_outside: the annotation file is not the one last saved here; its content is
            current and what this program had is one undo away.
        lost_lines: damaged journal lines that could not be read (0 unless the file was harmed by
            something else than a crash: a torn last line does not count).
        set_aside: where a journal that could not be used was kept; empty if none.
        problem: why there is no journal from now on (no permission, disk full, picture open in
            another window); empty if all is well.
    """

    restored: bool = False
    steps: int = 0
    changed_outside: bool = False
    lost_lines: int = 0
    set_aside: str = ""
    problem: str = ""
