"""What a command of the window is: a row with its name, its place, its keys and what it calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from app.services.object_commands import ObjectCommands
    from app.services.snapping import Snapping
    from app.services.window_services import WindowServices
    from app.window.dialog_commands import WindowDialogs
    from app.window.view_commands import ViewCommands


class OwnCommands(Protocol):
    """The commands of the main window itself."""

    def relabel(self) -> None:
        """Begins to edit the label of the selected object."""

    def full_screen(self, on: bool) -> None:
        """Fills the screen, or no longer."""

    def show_original(self, on: bool) -> None:
        """Shows recoloured objects in the picture's own colours, or no longer."""

    def quit(self) -> None:
        """Closes the window."""


@dataclass(frozen=True, slots=True)
class WindowParts:
    """What commands act on."""

    services: WindowServices
    objects: ObjectCommands
    snapping: Snapping
    view: ViewCommands
    dialogs: WindowDialogs
    window: OwnCommands


@dataclass(frozen=True, slots=True)
class Toggle:
    """Shown with a check mark; `run` is told whether it is checked now."""

    run: Callable[[WindowParts, bool], None]


@dataclass(frozen=True, slots=True)
class Hold:
    """Acts only while its key (one without modifiers) or its button is down; `run` is told whether it is."""

    run: Callable[[WindowParts, bool], None]


Act: TypeAlias = Callable[[WindowParts], None] | Toggle | Hold
Need: TypeAlias = Literal[
    "", "picture", "selection", "pair", "undo", "redo", "clipboard", "folder", "encoding", "levels", "similar"
]


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table.

    Attributes:
        id: stable name; settings and tests use it.
        title: English text, translated where it is shown; "…" means that a dialog follows.
        menu: key of MENUS.
        act: what it does.
        keys: default key sequences in portable text.
        icon: qtawesome name or "".
        needs: what must be there for the command to be enabled: "" (always), "pair" (two objects or more),
            "levels" (a seed with levels to choose from), "similar" (an object to begin with, and an
            encoding), …
        separator: a line is drawn above it in its menu.
        waits: begins once all that was kept is in the document: it looks at the objects.
    """

    id: str
    title: str
    menu: str
    act: Act
    keys: tuple[str, ...] = ()
    icon: str = ""
    needs: Need = ""
    separator: bool = False
    waits: bool = False
