"""Key sequences as text: how they are stored, how the platform writes them, which clash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def effective_keys(
    defaults: Mapping[str, Sequence[str]], own: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Command id to its keys in force: the defaults, with a user's own in their place; unknown ids are
    ignored."""
    return {name: tuple(own.get(name, keys)) for name, keys in defaults.items()}


def find_conflicts(keys: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Key sequences that more than one command claims, each with the ids of those commands."""
    owners: dict[str, list[str]] = {}
    for name, sequences in keys.items():
        for sequence in sequences:
            owners.setdefault(portable(sequence), []).append(name)
    return {sequence: tuple(names) for sequence, names in owners.items() if len(names) > 1}


def portable(sequence: str) -> str:
    """One spelling per key sequence ("ctrl+pageup" becomes "Ctrl+PgUp")."""
    return QKeySequence(sequence).toString(QKeySequence.SequenceFormat.PortableText)


def key_of(sequence: str) -> Qt.Key:
    """The key of a sequence of one key, without its modifiers; Key_unknown for an empty one."""
    pressed = QKeySequence(sequence)
    return pressed[0].key() if pressed.count() else Qt.Key.Key_unknown  # type: ignore[index]


def native_text(sequences: Sequence[str]) -> str:
    """The sequences as the platform writes them, for a menu or a tooltip."""
    return ", ".join(QKeySequence(s).toString(QKeySequence.SequenceFormat.NativeText) for s in sequences)
