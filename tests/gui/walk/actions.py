"""What a user may do, one function an action; commands come from the program's own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from app.appearance.theme import CHOICES
from app.dialogs.train import TrainDialog
from app.tools.registry import TOOLS
from app.window.actions import all_commands
from tests.gui.walk.hands import (
    BUTTONS,
    MODIFIERS,
    PLAIN,
    ask_for_menu,
    choose_from,
    poke,
    press_key,
    somewhere,
    turn_wheel,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.gui.walk.walker import Walk

LEFT: Final = Qt.MouseButton.LeftButton
COMMANDS: Final = tuple(command.id for command in all_commands())
LEAVING: Final = (
    "next_picture",
    "previous_picture",
    "open_folder",
    "auto",
    "train",
    "tool_box",
    "tool_polygon",
)


def command(walk: Walk, chance: random.Random) -> str:
    """Any command that is enabled, as its menu does it."""
    name = chance.choice(COMMANDS)
    walk.trigger(name)
    return name


def menu_entry(walk: Walk, chance: random.Random) -> str:
    """Any entry of any menu: themes, languages, panels, recent pictures."""
    key = chance.choice(sorted(walk.window.menus))
    choose_from(chance, walk.window.menus[key])
    return key


def key(walk: Walk, chance: random.Random) -> None:
    """A key wherever the focus is."""
    press_key(chance, QApplication.focusWidget() or walk.window.canvas)


def panel(walk: Walk, chance: random.Random) -> str:
    """Something in the window that can be used."""
    return poke(chance, walk.window)


def dialog(walk: Walk, chance: random.Random) -> str:
    """Something in a dialog that stands beside the window, or its end."""
    shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    if not shown:
        name = chance.choice(("train", "notifications", "check_annotations"))
        walk.trigger(name)
        return name
    one = chance.choice(shown)
    if chance.random() < 0.2:
        one.close()
        return "closed"
    return poke(chance, one)


def click(walk: Walk, chance: random.Random) -> None:
    canvas = walk.window.canvas
    QTest.mouseClick(canvas, chance.choice(BUTTONS), chance.choice(MODIFIERS), somewhere(chance, canvas))


def double_click(walk: Walk, chance: random.Random) -> None:
    canvas = walk.window.canvas
    QTest.mouseDClick(canvas, LEFT, PLAIN, somewhere(chance, canvas))


def context_menu(walk: Walk, chance: random.Random) -> None:
    canvas = walk.window.canvas
    at = somewhere(chance, canvas)
    QTest.mouseClick(canvas, Qt.MouseButton.RightButton, PLAIN, at)
    ask_for_menu(canvas, at)


def drag(walk: Walk, chance: random.Random) -> None:
    """Press, some moves, release; sometimes something else happens with the button down."""
    canvas = walk.window.canvas
    button, modifiers = chance.choice(BUTTONS), chance.choice(MODIFIERS)
    QTest.mousePress(canvas, button, modifiers, somewhere(chance, canvas))
    for _ in range(chance.randint(1, 6)):
        QTest.mouseMove(canvas, somewhere(chance, canvas))
    if chance.random() < 0.15:
        command(walk, chance)
    if walk.is_open:
        QTest.mouseRelease(canvas, button, modifiers, somewhere(chance, canvas))


def hover(walk: Walk, chance: random.Random) -> None:
    QTest.mouseMove(walk.window.canvas, somewhere(chance, walk.window.canvas))


def wheel(walk: Walk, chance: random.Random) -> None:
    canvas = walk.window.canvas
    for _ in range(chance.randint(1, 4)):
        turn_wheel(chance, canvas, somewhere(chance, canvas), chance.choice(MODIFIERS))


def tool(walk: Walk, chance: random.Random) -> str:
    name = chance.choice([kind.name for kind in TOOLS])
    walk.trigger(f"tool_{name}")
    return name


def draw(walk: Walk, chance: random.Random) -> str:
    """A shape or a stroke in the picture, ended with Enter."""
    canvas = walk.window.canvas
    name = chance.choice([kind.name for kind in TOOLS])
    walk.trigger(f"tool_{name}")
    walk.trigger("fit")
    points = [_in_picture(walk, chance) for _ in range(chance.randint(2, 5))]
    if name == "polygon":
        for point in points:
            QTest.mouseClick(canvas, LEFT, PLAIN, point)
    else:
        QTest.mousePress(canvas, LEFT, PLAIN, points[0])
        for point in points:
            QTest.mouseMove(canvas, point)
        QTest.mouseRelease(canvas, LEFT, PLAIN, points[-1])
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    return name


def keep(walk: Walk, chance: random.Random) -> str:
    """An object is clicked and kept with Enter; sometimes something else follows at once."""
    if not walk.grow(chance):
        return "nothing grew"
    walk.expect_object(f"kept {walk.number}")
    QTest.keyClick(walk.window.canvas, Qt.Key.Key_Return)
    if chance.random() < 0.5:
        name = chance.choice(LEAVING)
        walk.trigger(name)
        return f"and {name} at once"
    return "and stayed"


def leave(walk: Walk, chance: random.Random) -> str:
    """An object is clicked and not kept; something else begins."""
    if not walk.grow(chance):
        return "nothing grew"
    walk.expect_object(f"left {walk.number}", may_be_asked=True)
    name = chance.choice(LEAVING)
    walk.trigger(name)
    return name


def undo_some(walk: Walk, chance: random.Random) -> str:
    name = chance.choice(("undo", "redo"))
    for _ in range(chance.randint(1, 5)):
        walk.trigger(name)
    return name


def train(walk: Walk, chance: random.Random) -> str:
    """Starts a training, or decides on the one that runs or has ended."""
    training = walk.window.services.training
    if training.is_running:
        name = chance.choice(("stop_and_keep", "discard", "wait"))
        if name != "wait":
            getattr(training, name)()
        return name
    walk.trigger("train")
    walk.settle()
    for shown in QApplication.topLevelWidgets():
        if isinstance(shown, TrainDialog) and shown.isVisible() and shown.start_button.isEnabled():
            QTest.mouseClick(shown.start_button, LEFT)
    return "started" if training.is_running else "not started"


def similar(walk: Walk, chance: random.Random) -> None:
    """What looks like a selected object, here and in the folder."""
    walk.trigger("select_all")
    walk.trigger("select_similar")
    walk.breathe(30)
    box = walk.window.docks.panels["similar"].folder_box
    if box.isVisible() and box.isEnabled():
        QTest.mouseClick(box, LEFT)


def drop(walk: Walk, chance: random.Random) -> None:
    """Files dropped on the window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(walk.any_file(chance))) for _ in range(chance.randint(1, 3))])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.NoButton, PLAIN)
    walk.window.dropEvent(event)


def picture_of_list(walk: Walk, chance: random.Random) -> str:
    paths = walk.window.services.pictures.paths
    if not paths:
        return ""
    path = chance.choice(paths)
    walk.window.services.pictures.open_picture(path)
    return path.name[:20]


def theme(walk: Walk, chance: random.Random) -> str:
    name = chance.choice(sorted(CHOICES))
    walk.window.theme.apply(name)
    return name


def resize(walk: Walk, chance: random.Random) -> None:
    walk.window.resize(chance.randint(800, 1500), chance.randint(480, 900))


def wait(walk: Walk, chance: random.Random) -> None:
    walk.breathe(chance.choice((20, 60, 300)))


def close_and_open(walk: Walk, chance: random.Random) -> None:
    """The window is closed, and the program started again on a folder."""
    walk.window.close()


def _in_picture(walk: Walk, chance: random.Random) -> QPoint:
    image, canvas = walk.window.services.session.image, walk.window.canvas
    if image is None:
        return somewhere(chance, canvas)
    place = canvas.image_to_view(QPointF(chance.uniform(0, image.width), chance.uniform(0, image.height)))
    x, y = round(place.x()), round(place.y())
    return QPoint(min(max(x, 0), canvas.width() - 1), min(max(y, 0), canvas.height() - 1))


WEIGHTS: Final[dict[Callable[[Walk, random.Random], str | None], int]] = {
    command: 24, menu_entry: 3, key: 12, panel: 14, dialog: 6, click: 8, double_click: 1, context_menu: 2,
    drag: 6, hover: 2, wheel: 4, tool: 4, draw: 7, keep: 10, leave: 4, undo_some: 5, train: 2, similar: 2,
    drop: 1, picture_of_list: 6, theme: 1, resize: 1, wait: 2, close_and_open: 1,
}  # fmt: skip
