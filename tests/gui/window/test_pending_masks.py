"""A mask that was clicked is work: it is kept, asked about or still there, whatever begins next."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QColorDialog, QDialog, QFileDialog, QMessageBox

from app.services import window_services
from app.window.actions import all_commands
from app.workers.inference import InferenceEngine
from app.workers.requests import LoadModel, ModelChoice
from converters.annotation import Box, Instance
from tests.gui.window import color_segmenter
from tests.gui.window.conftest import write_picture

DISC = (80, 60)
BESIDE = (10, 10)


@pytest.fixture
def engine():
    """Two models to choose from."""
    segmenter = color_segmenter.ColorSegmenter()

    def choices(request):
        second = request.activate == "color-2"
        return (
            ModelChoice("color-1", "Colour", LoadModel("seednet"), not second),
            ModelChoice("color-2", "Colour again", LoadModel("fcn", Path("own")), second),
        )

    return InferenceEngine(lambda name, *, weights=None: segmenter, choices)


@pytest.fixture
def gate(monkeypatch):
    """Until it is set, a mask of the whole picture is still being computed."""
    gate, plain = threading.Event(), color_segmenter.ColorEncoding.mask

    def mask(self, seeds, tau=None, level=None, region=None, size=None):
        if region == self.region and size is None:
            assert gate.wait(20)
        return plain(self, seeds, tau, level, region, size)

    monkeypatch.setattr(color_segmenter.ColorEncoding, "mask", mask)
    yield gate
    gate.set()


@pytest.fixture
def opened(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    return driver


def click(driver, label, point=DISC):
    """Clicks an object and keeps nothing; a close look, so that the screen shows a part of it alone."""
    driver.session.set_tool("seed")
    driver.session.set_option("label", label)
    canvas = driver.window.canvas
    canvas.zoom_by(6 * canvas.viewport.fitted().scale / canvas.zoom)
    QTest.mouseMove(canvas, driver.at(*point))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=driver.at(*point))
    driver.wait(lambda: bool(driver.session.seed_state.level_scores))


def at_rest(driver):
    """Waits until nothing is on its way."""
    services = driver.services
    driver.wait(lambda: not services.session.arrivals.is_busy)
    runners = services.saving.runner, services.pictures.runner, services.segmentation.runner
    driver.wait(lambda: not any(runner.is_busy for runner in runners))


def settled(driver):
    """Waits until nothing is on its way, and everything is on the disk."""
    at_rest(driver)
    driver.services.saving.save_now()
    at_rest(driver)


def labels_on_disk(folder):
    """Label to how many objects have it, in all annotation files below a folder."""
    found = {}
    for file in folder.rglob("*.json"):
        for shape in json.loads(file.read_text(encoding="utf-8"))["shapes"]:
            found[shape["label"]] = found.get(shape["label"], 0) + 1
    return found


def prepare(driver):
    """Everything that a command may need: two selected objects, a clipboard, a step back and one forth."""
    document = driver.document
    ids = ("known0", "known1")
    document.set_locked([i.id for i in document.annotation.instances], False)
    document.remove([i for i in (*ids, "extra") if document.annotation.instance(i) is not None])
    document.add(*(Instance(i, "known", Box(4, 4, 20 + 8 * n, 20)) for n, i in enumerate(ids)))
    document.add(Instance("extra", "known", Box(1, 1, 5, 5)))
    document.undo()
    driver.session.select(ids)
    driver.trigger("copy")


def ways(driver, tmp_path):
    """Everything that might drop what is being made: every command, and what is no command."""
    services, window = driver.services, driver.window
    other = tmp_path / "other"
    for command in all_commands():
        if command.id != "quit":
            yield command.id, lambda name=command.id: driver.trigger(name)
    yield "theme", lambda: window.theme.apply("dark")
    yield "theme again", lambda: window.theme.apply("light")
    yield "language", lambda: window.rebuild()
    yield "keys", lambda: services.change_keys({})
    yield "model", lambda: services.segmentation.choose_version("color-2")
    yield "trained model", lambda: services.segmentation.choose_version("color-1")
    yield "list of pictures", lambda: services.pictures.open_picture(other / "b.png")
    yield "recent", lambda: services.pictures.open_path(tmp_path / "pictures")
    yield "candidates", lambda: window.acceptance.dismiss()
    yield "borrowed tool", lambda: window.tool_box.lend(window.pick_tool)
    yield "its own tool again", lambda: window.tool_box.resume()
    yield "drop", lambda: drop(window, other)


def drop(window, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    no_button = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, *no_button))


@pytest.fixture
def answers(monkeypatch, tmp_path):
    """File dialogs are answered with another folder's pictures, the others are closed."""
    other = tmp_path / "other"
    other.mkdir()
    for name in "ab":
        write_picture(other / f"{name}.png", shade=(30, 160, 60))
    monkeypatch.setattr(QDialog, "exec", lambda _dialog: 0)
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: None)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(other / "b.png")], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(other))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    monkeypatch.setattr(window_services, "sample_folder", lambda: other)
    monkeypatch.setattr(window_services, "FIRST_SAMPLE", "a.png")


def test_no_command_and_nothing_else_lets_a_pending_mask_vanish(opened, tmp_path, answers):
    """After each of them the clicks are still there, or the object is; in the end it is on the disk, once."""
    kept, still_there, labels = set(), set(), {}
    needs = {command.id: command.needs for command in all_commands()}
    for number, (name, begin) in enumerate(ways(opened, tmp_path)):
        opened.window.acceptance.dismiss()
        opened.wait_for_encoding()
        if needs.get(name) in ("selection", "pair", "undo", "redo", "clipboard"):
            prepare(opened)
        label = f"mask {number}"
        click(opened, label)
        document, seeds = opened.document, opened.session.seed_state.seeds
        action = opened.window.actions_by_id.get(name)
        assert action is None or action.isEnabled(), name
        begin()
        opened.bot.wait(1)
        at_rest(opened)
        opened.wait_for_picture()
        is_pending = opened.document is document and opened.session.seed_state.seeds == seeds
        assert is_pending + [i.label for i in document.annotation.instances].count(label) == 1, name
        labels[name] = label
        (still_there if is_pending else kept).add(name)
        opened.window.dialogs.close_all()
        opened.window.tool_box.resume()
        opened.session.set_tool("seed")
        opened.window.tool_box.tools["seed"].cancel()
        opened.session.select(())
    assert {"tool_brush", "next_picture", "open_folder", "auto", "train", "save", "model", "drop"} <= kept
    assert {"zoom_in", "hide", "smaller_level", "theme", "language", "keys"} <= still_there
    opened.window.close()
    on_disk = labels_on_disk(tmp_path)
    assert {labels[name]: on_disk.get(labels[name]) for name in kept} == {labels[name]: 1 for name in kept}


def test_closing_the_window_keeps_the_mask(opened, folder):
    click(opened, "left on the canvas")
    opened.trigger("quit")
    assert labels_on_disk(folder) == {"left on the canvas": 1}


def test_what_paints_mends_the_mask_that_was_clicked(opened):
    opened.services.change_settings(ask_about_masks=True)  # nobody need be asked
    for tool in ("superpixel", "eraser", "brush"):
        click(opened, "cup")
        QTest.keyClick(opened.window.canvas, opened.window.tool_box.tools[tool].shortcut)
        opened.wait(lambda: not opened.session.arrivals.is_busy)
        made = opened.document.annotation.instances[-1]
        assert opened.session.tool == tool
        assert opened.session.selection == (made.id,)
        assert made.provenance.seeds
        assert "cup" in opened.window.status.currentMessage()
    QTest.mouseClick(opened.window.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*BESIDE))
    *others, mended = opened.document.annotation.instances
    assert mended.id == made.id
    assert mended.geometry.area > made.geometry.area
    opened.trigger("undo")
    assert opened.document.annotation.instances == (*others, made)
    opened.trigger("undo")
    assert list(opened.document.annotation.instances) == others
    assert len(others) == 2


def test_a_brush_waits_for_the_mask_it_is_to_mend(opened, gate):
    click(opened, "cup")
    opened.session.set_tool("brush")
    QTest.mouseClick(opened.window.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*BESIDE))
    assert opened.document.annotation.instances == ()
    assert "still being computed" in opened.window.status.currentMessage()
    gate.set()
    opened.wait(lambda: len(opened.document.annotation.instances) == 1)


# A kept object travels with its picture


@pytest.mark.parametrize(
    ("begin", "where"),
    [("Enter", "next picture"), ("just go", "next picture"), ("Enter", "other folder"), ("Enter", "end")],
)
def test_an_object_that_was_kept_travels_with_its_picture(opened, folder, tmp_path, gate, begin, where):
    other = tmp_path / "other"
    other.mkdir()
    write_picture(other / "b.png")
    click(opened, "traveller")
    first, canvas = opened.document, opened.window.canvas
    if begin == "Enter":
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    if where == "next picture":
        QTest.keyClick(canvas, Qt.Key.Key_D)
        opened.wait_for_picture(folder / "photo1.png")
        opened.wait_for_encoding()
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=opened.at(*DISC))
        assert first.annotation.instances == ()
    elif where == "other folder":
        opened.services.pictures.open_path(other)
        opened.wait(lambda: not opened.services.pictures.runner.is_busy)
        assert opened.document is first  # until the object is in it
    threading.Timer(0.05, gate.set).start()
    if where == "end":
        opened.window.close()
    else:
        gate.set()
    if where == "next picture":
        opened.wait(lambda: len(first.annotation.instances) == 1)
        opened.wait(lambda: bool(opened.session.seed_state.seeds))  # made meanwhile, and left alone
        assert opened.session.selection == ()
        assert opened.document.annotation.instances == ()
    if where == "other folder":
        opened.wait_for_picture(other / "b.png")
    if where != "end":
        settled(opened)
    assert json.loads((folder / "photo0.json").read_text())["shapes"][0]["label"] == "traveller"
    assert labels_on_disk(folder) == {"traveller": 1}
    if where == "next picture":
        opened.window.tool_box.tools["seed"].cancel()
        QTest.keyClick(canvas, Qt.Key.Key_A)
        opened.wait_for_picture(folder / "photo0.png")
        opened.trigger("undo")
        assert opened.document.annotation.instances == ()


def test_the_last_turn_of_a_tuning_travels_too(opened, folder, gate):
    gate.set()
    click(opened, "tuned")
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    opened.wait(lambda: len(opened.document.annotation.instances) == 1)
    made, document = opened.document.annotation.instances[0], opened.document
    opened.session.select(())
    opened.session.select((made.id,))
    gate.clear()
    opened.session.set_option("tau", 0.95)
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_D)
    opened.wait_for_picture(folder / "photo1.png")
    gate.set()
    opened.wait(lambda: document.annotation.instances[0].provenance.tau == 0.95)
    assert document.undo_title.translated() == "Tune tuned"
    document.undo()
    assert document.annotation.instances == (made,)


def test_more_pictures_than_are_kept_open_leave_a_traveller_alone(opened, gate, folder):
    for number in range(3, 17):
        write_picture(folder / f"photo{number:02}.png")
    opened.services.pictures.open_path(folder)
    opened.wait(lambda: len(opened.services.pictures.paths) == 17)
    opened.wait_for_picture(folder / "photo0.png")
    opened.wait_for_encoding()
    click(opened, "traveller")
    first = opened.document
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    for path in opened.services.pictures.paths[1:15]:
        opened.services.pictures.open_picture(path)
        opened.wait_for_picture(path)
    gate.set()
    opened.wait(lambda: len(first.annotation.instances) == 1)
    settled(opened)
    assert labels_on_disk(folder) == {"traveller": 1}


# Commands about the objects wait for it


def test_a_command_about_the_objects_waits_for_the_one_that_was_kept(opened, folder, gate):
    opened.services.saving.set_autosave(False)
    opened.document.add(Instance("known", "known", Box(4, 4, 20, 20)))
    click(opened, "waited for")
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    opened.trigger("save")
    opened.trigger("undo")
    assert labels_on_disk(folder) == {}
    gate.set()
    opened.wait(lambda: labels_on_disk(folder) == {"known": 1, "waited for": 1})
    opened.wait(lambda: [i.id for i in opened.document.annotation.instances] == ["known"])


def test_keeping_what_takes_long_shows_a_sign_of_work(opened, gate):
    click(opened, "large")
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    status = opened.window.status
    opened.wait(lambda: status.busy.text() == "Keeping the object…")
    assert status.progress.isVisible()
    gate.set()
    opened.wait(lambda: not status.progress.isVisible())
    assert len(opened.document.annotation.instances) == 1


# Asking instead


@pytest.fixture
def asked(monkeypatch):
    """What the window asks; `asked.answer` is the button it gets."""

    class Asked(list):
        answer = "Cancel"

    asked = Asked()

    def execute(box):
        asked.append(box.text())
        (button,) = (button for button in box.buttons() if button.text() == asked.answer)
        button.click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", execute)
    return asked


def ask_from_now_on(driver, monkeypatch):
    """As a user does it: with the preferences."""

    def execute(dialog):
        dialog.switches["ask_about_masks"].click()
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(QDialog, "exec", execute)
        driver.trigger("preferences")
    assert driver.services.settings.ask_about_masks


def drops(driver, folder):
    """What asks, and how to see that it has happened."""
    services, session = driver.services, driver.session
    return {
        "tool": (lambda: driver.trigger("tool_polygon"), lambda: session.tool == "polygon"),
        "picture": (
            lambda: driver.trigger("next_picture"),
            lambda: services.pictures.current == folder / "photo1.png",
        ),
        "folder": (
            lambda: services.pictures.open_path(folder / "photo2.png"),
            lambda: services.pictures.current == folder / "photo2.png",
        ),
        "model": (
            lambda: services.segmentation.choose_version("color-2"),
            lambda: services.segmentation.chosen.name == "fcn",
        ),
        "search": (
            lambda: driver.trigger("auto"),
            lambda: driver.window.docks.panels["candidates"].list.count() > 0,
        ),
        "end": (lambda: driver.window.close(), lambda: not driver.window.isVisible()),
    }


def test_cancel_lets_nothing_begin(opened, folder, asked, monkeypatch):
    ask_from_now_on(opened, monkeypatch)
    click(opened, "asked about")
    seeds = opened.session.seed_state.seeds
    for number, (what, (begin, has_begun)) in enumerate(drops(opened, folder).items(), start=1):
        begin()
        assert asked == number * ["What shall happen to the object that is being made?"], what
        opened.bot.wait(2)
        assert not has_begun(), what
        assert opened.session.seed_state.seeds == seeds, what
        assert opened.window.actions_by_id["tool_seed"].isChecked(), what
    opened.window.tool_box.tools["seed"].cancel()


@pytest.mark.parametrize("answer", ["Keep", "Discard"])
def test_otherwise_it_begins_with_what_the_user_wants(opened, folder, asked, monkeypatch, answer):
    ask_from_now_on(opened, monkeypatch)
    asked.answer = answer
    count = 0
    for number, (what, (begin, has_begun)) in enumerate(drops(opened, folder).items(), start=1):
        opened.window.acceptance.dismiss()
        opened.wait_for_encoding()
        click(opened, "asked about")
        begin()
        assert len(asked) == number, what
        opened.wait(has_begun)
        if what != "end":
            settled(opened)
        count += answer == "Keep"
        assert labels_on_disk(folder).get("asked about", 0) == count, what


# Other tools


def test_a_polygon_and_a_stroke_are_work_too(opened, folder):
    canvas = opened.window.canvas
    opened.session.set_option("label", "shape")
    opened.session.set_tool("polygon")
    for point in ((20, 20), (60, 20), (60, 60)):
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=opened.at(*point))
    opened.session.set_tool("brush")
    opened.session.select(())
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=opened.at(120, 100))
    opened.trigger("tool_box")
    (polygon, painted) = opened.document.annotation.instances
    assert len(polygon.geometry.points) == 3
    assert painted.geometry.area > 0
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=opened.at(120, 100))
    opened.session.set_tool("polygon")
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=opened.at(20, 20))
    opened.trigger("next_picture")
    opened.wait_for_picture(folder / "photo1.png")
    assert opened.window.tool_box.tools["polygon"].points == ()
    assert opened.document.annotation.instances == ()


def test_clicks_into_a_picture_that_was_not_read_are_not_dropped_without_a_word(opened):
    opened.session.set_encoding(None)
    QTest.mouseClick(opened.window.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*DISC))
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    assert "still being read" in opened.window.status.currentMessage()
    assert opened.session.seed_state.seeds == ()
    opened.trigger("tool_brush")
    assert "clicks are dropped" in opened.window.status.currentMessage()
