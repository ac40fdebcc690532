"""One table of everything a user can ask the window to do.

The menus, the tool bar, the keyboard and the dialog of shortcuts all derive from it; a test checks
that no two commands share a key. `build_actions` turns the table into QActions, with the keys a
user changed (settings.shortcuts) in place of the default ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence

from app.appearance.i18n import phrase, tr
from app.appearance.theme import icon
from app.tools.registry import TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PySide6.QtWidgets import QWidget

MENUS: Final[dict[str, str]] = {
    "file": phrase("&File"),
    "edit": phrase("&Edit"),
    "object": phrase("&Object"),
    "view": phrase("&View"),
    "tools": phrase("&Tools"),
    "model": phrase("&Model"),
    "help": phrase("&Help"),
}


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table.

    Attributes:
        id: stable name; settings and tests use it. The window finds the method `id` of its
            handlers by it.
        title: English text, translated where it is shown; "…" means that a dialog follows.
        menu: key of MENUS; "" for a command that lives in the keyboard alone.
        keys: default key sequences in portable text.
        icon: qtawesome name or "".
        checkable: shown with a check mark.
        needs: what must be there for the command to be enabled: "" (always), "picture",
            "selection", "pair" (two objects or more), "undo", "redo", "clipboard", "folder", "encoding",
            "similar" (an object to begin with, and an encoding).
        separator: a line is drawn above it in its menu.
        held: acts only while its key is down; a key without modifiers.
    """

    id: str
    title: str
    menu: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    checkable: bool = False
    needs: str = ""
    separator: bool = False
    held: bool = False


COMMANDS: Final[tuple[Command, ...]] = (
    Command("open_file", phrase("Open picture…"), "file", ("Ctrl+O",), "mdi6.image-outline"),
    Command("open_folder", phrase("Open folder…"), "file", ("Ctrl+Shift+O",), "mdi6.folder-open-outline"),
    Command("include_subfolders", phrase("Include subfolders"), "file", checkable=True),
    Command("open_sample", phrase("Open a sample photo"), "file", (), "mdi6.image-multiple-outline"),
    Command(
        "previous_picture",
        phrase("Previous picture"),
        "file",
        ("A", "PgUp"),
        "mdi6.chevron-left",
        needs="folder",
        separator=True,
    ),
    Command(
        "next_picture", phrase("Next picture"), "file", ("D", "PgDown"), "mdi6.chevron-right", needs="folder"
    ),
    Command(
        "save",
        phrase("Save annotations"),
        "file",
        ("Ctrl+S",),
        "mdi6.content-save-outline",
        needs="picture",
        separator=True,
    ),
    Command(
        "check_annotations",
        phrase("Check the annotations…"),
        "file",
        ("Ctrl+K",),
        "mdi6.clipboard-check-outline",
        needs="picture",
    ),
    Command(
        "mark_reviewed",
        phrase("Mark as reviewed"),
        "file",
        ("Ctrl+Return",),
        "mdi6.check-decagram-outline",
        needs="picture",
    ),
    Command(
        "mark_rejected", phrase("Mark to be redone"), "file", (), "mdi6.close-circle-outline", needs="picture"
    ),
    Command(
        "import_annotations",
        phrase("Import annotations…"),
        "file",
        ("Ctrl+I",),
        "mdi6.import",
        separator=True,
    ),
    Command(
        "export_annotations",
        phrase("Export annotations…"),
        "file",
        ("Ctrl+Shift+E",),
        "mdi6.export",
        needs="folder",
    ),
    Command(
        "export_picture",
        phrase("Export recoloured picture…"),
        "file",
        ("Ctrl+E",),
        "mdi6.image-move",
        needs="picture",
    ),
    Command("quit", phrase("Quit"), "file", ("Ctrl+Q",), "mdi6.exit-to-app", separator=True),
    Command("undo", phrase("Undo"), "edit", ("Ctrl+Z",), "mdi6.undo", needs="undo"),
    Command("redo", phrase("Redo"), "edit", ("Ctrl+Shift+Z", "Ctrl+Y"), "mdi6.redo", needs="redo"),
    Command(
        "copy", phrase("Copy"), "edit", ("Ctrl+C",), "mdi6.content-copy", needs="selection", separator=True
    ),
    Command("paste", phrase("Paste"), "edit", ("Ctrl+V",), "mdi6.content-paste", needs="clipboard"),
    Command(
        "duplicate", phrase("Duplicate"), "edit", ("Ctrl+D",), "mdi6.content-duplicate", needs="selection"
    ),
    Command(
        "delete", phrase("Delete"), "edit", ("Delete", "Backspace"), "mdi6.delete-outline", needs="selection"
    ),
    Command(
        "select_all",
        phrase("Select all"),
        "edit",
        ("Ctrl+Shift+A",),
        "mdi6.select-all",
        needs="picture",
        separator=True,
    ),
    Command(
        "select_none",
        phrase("Select nothing"),
        "edit",
        ("Ctrl+Shift+N",),
        "mdi6.select-off",
        needs="selection",
    ),
    Command("relabel", phrase("Change label…"), "object", ("L",), "mdi6.tag-outline", needs="selection"),
    Command("lock", phrase("Lock or unlock"), "object", ("Ctrl+L",), "mdi6.lock-outline", needs="selection"),
    Command("hide", phrase("Hide or show"), "object", ("Ctrl+H",), "mdi6.eye-off-outline", needs="selection"),
    Command("show_all", phrase("Show all"), "object", ("Ctrl+Shift+H",), "mdi6.eye-outline", needs="picture"),
    Command(
        "raise_object",
        phrase("Move up in the stack"),
        "object",
        ("Ctrl+]",),
        "mdi6.arrange-bring-forward",
        needs="selection",
        separator=True,
    ),
    Command(
        "lower_object",
        phrase("Move down in the stack"),
        "object",
        ("Ctrl+[",),
        "mdi6.arrange-send-backward",
        needs="selection",
    ),
    Command(
        "to_polygon",
        phrase("Mask to polygon"),
        "object",
        ("Ctrl+Shift+P",),
        "mdi6.vector-polygon",
        needs="selection",
        separator=True,
    ),
    Command("to_mask", phrase("Shape to mask"), "object", ("Ctrl+Shift+M",), "mdi6.blur", needs="selection"),
    Command("fill_holes", phrase("Fill holes"), "object", (), "mdi6.circle-slice-8", needs="selection"),
    Command(
        "keep_largest", phrase("Keep the largest part"), "object", (), "mdi6.shape-outline", needs="selection"
    ),
    Command(
        "split_parts", phrase("Split the parts"), "object", (), "mdi6.scissors-cutting", needs="selection"
    ),
    Command(
        "snap_to_superpixels",
        phrase("Snap to superpixels"),
        "object",
        ("Ctrl+Shift+X",),
        "mdi6.magnet",
        needs="selection",
    ),
    Command(
        "union", phrase("Union"), "object", ("Ctrl+U",), "mdi6.vector-union", needs="pair", separator=True
    ),
    Command(
        "subtract",
        phrase("Subtract the later from the first"),
        "object",
        ("Ctrl+Shift+U",),
        "mdi6.vector-difference-ba",
        needs="pair",
    ),
    Command("intersect", phrase("Intersection"), "object", (), "mdi6.vector-intersection", needs="pair"),
    Command("exclude", phrase("Exclude the overlap"), "object", (), "mdi6.vector-difference", needs="pair"),
    Command(
        "remove_recolor",
        phrase("Give back the original colour"),
        "object",
        (),
        "mdi6.palette-outline",
        needs="selection",
        separator=True,
    ),
    Command(
        "fit", phrase("Fit to the window"), "view", ("F",), "mdi6.fit-to-screen-outline", needs="picture"
    ),
    Command(
        "actual_size",
        phrase("Actual size"),
        "view",
        ("Ctrl+0",),
        "mdi6.numeric-1-box-outline",
        needs="picture",
    ),
    Command(
        "zoom_in",
        phrase("Zoom in"),
        "view",
        ("Ctrl++", "Ctrl+="),
        "mdi6.magnify-plus-outline",
        needs="picture",
    ),
    Command(
        "zoom_out", phrase("Zoom out"), "view", ("Ctrl+-",), "mdi6.magnify-minus-outline", needs="picture"
    ),
    Command(
        "zoom_selection",
        phrase("Zoom to the selection"),
        "view",
        ("Z",),
        "mdi6.magnify-scan",
        needs="selection",
    ),
    Command(
        "show_original",
        phrase("Show the original (hold)"),
        "view",
        ("H",),
        "mdi6.compare",
        needs="picture",
        held=True,
    ),
    Command(
        "full_screen",
        phrase("Full screen"),
        "view",
        ("F11",),
        "mdi6.fullscreen",
        checkable=True,
        separator=True,
    ),
    Command("smaller_brush", phrase("Smaller brush"), "tools", ("[",), "mdi6.circle-small", separator=True),
    Command("larger_brush", phrase("Larger brush"), "tools", ("]",), "mdi6.circle-medium"),
    Command("auto", phrase("Find objects…"), "model", ("Ctrl+A",), "mdi6.auto-fix", needs="encoding"),
    Command(
        "select_similar", phrase("Select similar…"), "model", ("M",), "mdi6.select-multiple", needs="similar"
    ),
    Command(
        "train", phrase("Train on your objects…"), "model", ("Ctrl+T",), "mdi6.school-outline", separator=True
    ),
    Command("notifications", phrase("Notifications…"), "help", ("Ctrl+Shift+L",), "mdi6.bell-outline"),
    Command("shortcuts", phrase("Keyboard shortcuts…"), "help", ("F1",), "mdi6.keyboard-outline"),
    Command("about", phrase("About SeedHue"), "help", (), "mdi6.information-outline", separator=True),
)


def tool_commands() -> tuple[Command, ...]:
    """One command per tool, with its own letter and its place in the tool bar as keys."""
    return tuple(
        Command(f"tool_{kind.name}", kind.title, "tools", (kind.shortcut, str(number)), kind.icon)
        for number, kind in enumerate(TOOLS, start=1)
    )


def all_commands() -> tuple[Command, ...]:
    """The tools and every other command, in the order of the menus."""
    tools = tool_commands()
    order = list(MENUS)
    return tuple(sorted((*tools, *COMMANDS), key=lambda command: order.index(command.menu)))


def default_keys() -> dict[str, tuple[str, ...]]:
    """Command id to its default key sequences."""
    return {command.id: command.keys for command in all_commands()}


def effective_keys(overrides: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The keys in force: the defaults, with a user's own in their place; unknown ids are ignored."""
    keys = default_keys()
    keys.update({name: tuple(own) for name, own in overrides.items() if name in keys})
    return keys


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


def build_actions(parent: QWidget, keys: Mapping[str, Sequence[str]]) -> dict[str, QAction]:
    """A QAction for every command, by id; the caller connects `triggered`."""
    actions: dict[str, QAction] = {}
    for command in all_commands():
        action = QAction(tr(command.title), parent)
        action.setObjectName(command.id)
        action.setCheckable(command.checkable)
        if command.icon:
            action.setIcon(icon(command.icon))
            action.setProperty("icon_name", command.icon)
        plain = tr(command.title).rstrip("…")
        shown = native_text(keys[command.id])
        if command.held:
            action.setText(f"{plain}\t{shown}")  # a menu shows it like a shortcut; the window handles it
        else:
            action.setShortcuts([QKeySequence(key) for key in keys[command.id]])
        action.setToolTip(f"{plain}  ({shown})" if shown else plain)
        actions[command.id] = action
    return actions
