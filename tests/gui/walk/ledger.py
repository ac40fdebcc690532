"""What was acknowledged: an account of every edit, kept beside the program, and compared with it."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.document.document import Document
from app.workers import failure, pictures, unsaved

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from converters.annotation import ImageAnnotation


@dataclass(frozen=True, slots=True)
class Account:
    """What a picture's document held last, and how many steps can be undone and done again."""

    annotation: ImageAnnotation
    undone: int
    done: int


class Ledger:
    """Notes what documents hold after every edit, and what they held when they were opened first.

    Attributes:
        accounts: by the path of the picture.
        beginnings: what undoing everything must come back to.
        labels: every label that was ever on a picture; the walk gives each object it keeps one of its own.
        losses: documents that came back with something else than they were left with.
        surprises: errors that no part of the program raises on purpose.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.RLock()
        self.accounts: dict[Path, Account] = {}
        self.beginnings: dict[Path, ImageAnnotation] = {}
        self.labels: dict[Path, set[str]] = {}
        self.documents: list[Document] = []
        self.losses: list[str] = []
        self.surprises: list[str] = []
        self._follow_edits(monkeypatch)
        self._follow_opening(monkeypatch)
        self._follow_errors(monkeypatch)

    def _follow_edits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        announce, take_over = Document._announce, Document.take_over

        def noted(document: Document, *arguments: Any) -> Any:
            with self._lock:
                if document.path is not None:
                    self.accounts[document.path] = _account(document)
                    met = {instance.label for instance in document.annotation.instances}
                    self.labels.setdefault(document.path, set()).update(met)
            return announce(document, *arguments)

        def refused(document: Document, annotation: ImageAnnotation) -> Any:
            self.losses.append(f"{document.path}: taken over from outside, and nobody wrote there")
            return take_over(document, annotation)

        monkeypatch.setattr(Document, "_announce", noted)
        monkeypatch.setattr(Document, "take_over", refused)

    def _follow_opening(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened = pictures.open_document

        def compared(path: Path, *arguments: Any, **facts: Any) -> Document:
            document = opened(path, *arguments, **facts)
            self._compare(path, document)
            return document

        for module in (pictures, unsaved):
            monkeypatch.setattr(module, "open_document", compared)

    def _follow_errors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        describe = failure._describe

        def noted(error: BaseException) -> failure.Failure:
            described = describe(error)
            builtin = type(error).__module__ == "builtins" and not isinstance(error, OSError | MemoryError)
            if builtin and not _is_on_purpose(error):
                self.surprises.append(described.details)
            return described

        monkeypatch.setattr(failure, "_describe", noted)

    def _compare(self, path: Path, document: Document) -> None:
        with self._lock:
            known, now = self.accounts.get(path), _account(document)
            if document.journal_problem:
                self.losses.append(f"{path.name}: no journal: {document.journal_problem}")
            if known is None:
                self.beginnings.setdefault(path, document.annotation)
            elif difference(known.annotation, document.annotation):
                told = difference(known.annotation, document.annotation)
                self.losses.append(f"{path.name}: came back otherwise than it was left: {told}")
            elif (known.undone, known.done) != (now.undone, now.done) and document.recovery.changed_outside:
                self.losses.append(f"{path.name}: changed by another program, and there was none")
            elif (known.undone, known.done) != (now.undone, now.done):
                self.losses.append(f"{path.name}: steps {known.done}, {known.undone} came back as {now}")
            self.documents.append(document)


def _account(document: Document) -> Account:
    history = document.history
    return Account(document.annotation, len(history.steps) - history.position, history.position)


def _is_on_purpose(error: BaseException) -> bool:
    """Whether the program itself raised it, to say something to somebody."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and bool(frames) and (frames[-1].line or "").startswith("raise ")


def difference(left: ImageAnnotation, now: ImageAnnotation) -> str:
    """In which objects or fields two states of a picture differ; empty if they do not."""
    before = {instance.id: instance for instance in left.instances}
    after = {instance.id: instance for instance in now.instances}
    told = [f"lost {before[name].label!r} {name}" for name in before if name not in after]
    told += [f"new {after[name].label!r} {name}" for name in after if name not in before]
    told += [f"{i} was {before[i]} is {after[i]}" for i in before if i in after and before[i] != after[i]]
    if not told and list(before) != list(after):
        told.append("another order")
    told += [name for name in ("flags", "extra") if getattr(left, name) != getattr(now, name)]
    return "; ".join(told)
