"""Names, labels and descriptions that look like markup are shown as they stand, everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QFormLayout,
    QLabel,
    QMessageBox,
    QTableView,
    QWidget,
)

from app.appearance.plain_text import PlainMessageBox, plain_action, plain_tip, plain_title
from app.dialogs.about import AboutDialog
from app.dialogs.transfer import ExportDialog
from app.panels.rename_label import RenameLabelDialog
from converters.annotation import Instance, Mask, Polygon
from tests.gui.window.conftest import write_picture

IMAGE = '<img src="x">'
LINK = '<a href="x">here'
MARKUP = re.compile(r"<(img|a)\b")
TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


@pytest.fixture
def hostile(tmp_path) -> Path:
    folder = tmp_path / f"{IMAGE}&folder"
    folder.mkdir()
    for number in range(3):
        write_picture(folder / f"{number}{IMAGE}{LINK}.png")
    labels = [{"name": IMAGE, "color": "#ff0000"}, LINK]
    (folder / "seedhue.json").write_text(json.dumps({"seedhue_project": 1, "labels": labels}), "utf-8")
    return folder


def tips():
    """Every tooltip of every window: of widgets, actions and rows."""
    for widget in (each for top in QApplication.topLevelWidgets() for each in _and_below(top)):
        yield widget.toolTip()
        yield from (action.toolTip() for action in widget.findChildren(QAction))
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            model, columns = widget.model(), 1
            if isinstance(widget, QTableView):
                columns = widget.horizontalHeader().count()
            for row in range(model.rowCount(QModelIndex())):
                for column in range(columns):
                    yield model.index(row, column).data(Qt.ItemDataRole.ToolTipRole) or ""


def _and_below(top):
    return [top, *top.findChildren(QWidget)]


def rendered_labels():
    """Labels whose text Qt may take for markup; those of forms are made by Qt, from words of ours."""
    for top in QApplication.topLevelWidgets():
        ours = {
            row.widget()
            for form in top.findChildren(QFormLayout)
            for number in range(form.rowCount())
            if (row := form.itemAt(number, QFormLayout.ItemRole.LabelRole)) is not None
        }
        for label in (each for each in _and_below(top) if isinstance(each, QLabel) and each.text()):
            is_plain = label.textFormat() == Qt.TextFormat.PlainText
            if not is_plain and (label not in ours or Qt.mightBeRichText(label.text())):
                yield label.text(), label.parent()


def test_nothing_of_the_window_renders_what_stands_in_files(driver, hostile):
    driver.show().open(hostile)
    objects = [
        Instance("a", IMAGE, TRIANGLE, description=LINK),
        Instance("b", IMAGE, TRIANGLE, description=f"<b>{IMAGE}</b>"),
        Instance("c", LINK, Mask.from_full([[1, 1], [1, 1]])),
        Instance("d", LINK, Mask.from_full([[1, 1], [1, 1]])),
    ]
    driver.document.add(*objects)
    driver.session.select(("a",))
    driver.services.notices.post("error", f"{IMAGE} broke", remedy=LINK, details=IMAGE)
    driver.trigger("notifications")
    driver.trigger("check_annotations")
    checks = driver.window.dialogs._checks
    driver.wait(lambda: checks.list.count() > 0)
    dialogs = [
        AboutDialog(IMAGE, driver.window),
        ExportDialog(driver.services.exporting, driver.services.pictures, driver.window),
        PlainMessageBox(IMAGE, LINK, driver.window),
    ]
    dialogs.append(RenameLabelDialog(LINK, 1, driver.services.folder_labels, driver.window))
    dialogs[2].setInformativeText(IMAGE)
    driver.window._fill_recent()
    for dialog in dialogs:
        dialog.show()
    driver.bot.wait(1)
    seen = [tip for tip in tips() if tip]
    assert sum("img" in tip for tip in seen) >= 5
    assert [tip for tip in seen if MARKUP.search(tip)] == []
    assert list(rendered_labels()) == []
    assert "&&folder" in driver.window.recent_menu.actions()[0].text()
    for dialog in dialogs:
        dialog.close()
        dialog.deleteLater()


def test_an_ampersand_of_a_name_makes_no_key(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("a", "salt&pepper[*]", TRIANGLE))
    assert driver.window.actions_by_id["undo"].text().endswith("salt&&pepper[*]")
    driver.trigger("undo")
    assert "salt&&pepper" in driver.window.actions_by_id["redo"].text()
    for button in driver.window.start_page.findChildren(QAbstractButton):
        assert button.text().count("&") == 0


def test_what_is_plain_stays_and_what_looks_like_markup_is_escaped():
    assert plain_tip("a < b & c") == "a < b & c"
    assert plain_tip("a\nb") == "a\nb"
    assert not MARKUP.search(plain_tip(IMAGE))
    assert "&lt;img" in plain_tip(IMAGE)
    assert plain_action("a&b\tc") == "a&&b c"
    assert plain_title("a[*].png") == "a[*][*].png"


def test_labels_and_boxes_are_made_in_one_place():
    root = Path(__file__).resolve().parents[3] / "app"
    raw = re.compile(
        r"(?<![A-Za-z])(QLabel|QMessageBox|QInputDialog)(\(|\.(warning|question|information|critical|get\w+)\()"
    )
    found = [path.name for path in root.rglob("*.py") if raw.search(path.read_text(encoding="utf-8"))]
    assert found in ([], ["plain_text.py"])
    assert issubclass(PlainMessageBox, QMessageBox)
