"""How many pictures are annotated: every part of the window says the same, saved or not."""

from __future__ import annotations

import threading

import pytest

from app.document.recovery import open_document
from app.project.folders import journal_dir
from app.project.workspace import Workspace
from app.workers import training
from app.workers.training import CountObjects, TrainRequest, count_objects, run_training_job
from converters.annotation import ImageAnnotation, Instance, Polygon
from converters.formats.labelme.document import read_labelme
from tests.gui.window.conftest import Driver, write_picture

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))
LEAF, TWIN = Instance("one", "leaf", TRIANGLE), Instance("two", "leaf", TRIANGLE)


class Learner:
    """Counts; of a training it notes only which pictures had objects on the disk when it began."""

    def __init__(self):
        self.seen = None

    def __call__(self, request, should_stop, on_event):
        if isinstance(request, CountObjects):
            return count_objects(request, should_stop)
        found = ((file, read_labelme(file)) for file in sorted(request.folder.glob("photo*.json")))
        self.seen = [file.stem for file, annotation in found if annotation.instances]
        return None


@pytest.fixture
def learner():
    return Learner()


@pytest.fixture
def driver(qtbot, qapp, engine, learner):
    made = Driver(qtbot, qapp, engine, training_work=learner)
    yield made
    made.services.saving.set_autosave(True)
    made.window.close()
    made.window.deleteLater()
    made.theme.deleteLater()


def label(folder, name):
    """An annotation file with an object."""
    workspace = Workspace(folder)
    workspace.write(folder / name, ImageAnnotation(name, 120, 160, (LEAF,)))


def left_unsaved(path, *, empty):
    """What a crash leaves: a journal, after whose end there is nothing on the picture, or two objects."""
    workspace = Workspace(path)
    document = open_document(path, workspace.load(path), journal_dir())
    document.remove(["one"]) if empty else document.add(LEAF, TWIN)
    document.close()


@pytest.fixture
def mixed(folder):
    """Five pictures: two of which an earlier session left work, one with a file, two without anything."""
    for number in (3, 4):
        write_picture(folder / f"photo{number}.png")
    for name in ("photo1.png", "photo2.png"):
        label(folder, name)
    left_unsaved(folder / "photo2.png", empty=True)
    left_unsaved(folder / "photo3.png", empty=False)
    return folder


def told(driver):
    """What the list, the check, the training and the labels say of how many pictures."""
    services, dialogs = driver.services, driver.window.dialogs
    driver.trigger("check_annotations")
    checks = dialogs._checks
    checks.folder_box.setChecked(False)
    checks.folder_box.setChecked(True)
    driver.trigger("train")
    summaries = []
    services.training.summary_ready.connect(summaries.append)
    services.training.count_objects()
    driver.wait(
        lambda: bool(summaries) and not checks.runner.is_busy and "looked at:" in checks.verdict.text()
    )
    services.training.summary_ready.disconnect(summaries.append)
    return (
        driver.window.docks.panels["pictures"].summary.text(),
        checks.verdict.text().splitlines()[0],
        (summaries[-1].pictures, summaries[-1].objects),
        sorted(path.name for path in services.folder_labels.pictures_with("leaf")),
    )


def work_through(driver, folder):
    """Two objects on one picture, the last one taken from another, a third without any marked as reviewed."""
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait(lambda: not driver.services.pictures.state_runner.is_busy)
    driver.services.saving.set_autosave(False)
    driver.document.add(LEAF, TWIN)
    for name in ("photo1.png", "photo4.png"):
        driver.services.pictures.open_picture(folder / name)
        driver.wait_for_picture(folder / name)
        if name == "photo1.png":
            driver.document.remove(["one"])
        else:
            driver.trigger("mark_reviewed")


def test_emptied_and_unsaved_pictures_count_everywhere_alike(driver, mixed):
    work_through(driver, mixed)
    expected = (
        "3 of 5 annotated",  # photo4 without an object: somebody said that this is right
        "Annotated pictures looked at: 3; without annotations: 2.",
        (2, 4),
        ["photo0.png", "photo3.png"],
    )
    assert told(driver) == expected
    driver.services.saving.write_all(asked=True)
    driver.wait(lambda: not driver.services.saving.runner.is_busy)
    for name in ("photo2.png", "photo3.png"):  # what was left is saved once it is opened
        driver.services.pictures.open_picture(mixed / name)
        driver.wait_for_picture(mixed / name)
        driver.trigger("save")
        driver.wait(lambda: driver.services.saving.state == "saved")
    assert told(driver) == expected
    driver.open(mixed / "photo0.png", current=mixed / "photo0.png")
    driver.wait(lambda: not driver.services.pictures.state_runner.is_busy)
    assert told(driver) == expected


def test_a_training_begins_when_what_it_counted_is_saved(driver, learner, mixed, monkeypatch):
    work_through(driver, mixed)
    driver.document.add(LEAF)
    may_write, write = threading.Event(), Workspace.write

    def write_late(*arguments, **options):
        may_write.wait(20)
        return write(*arguments, **options)

    monkeypatch.setattr(Workspace, "write", write_late)
    driver.services.training.start(minutes=1)
    assert driver.services.training.is_running
    assert driver.services.saving.runner.is_busy
    assert not driver.services.training.runner.is_busy
    may_write.set()
    driver.wait(lambda: not driver.services.training.is_running)
    # Of the two that an earlier session left, the training takes care itself.
    assert learner.seen == ["photo0", "photo2", "photo4"]


def test_a_training_learns_from_what_an_earlier_session_left(mixed, tmp_path, monkeypatch):
    def collect(folder, **_options):
        found = {file.stem: read_labelme(file) for file in folder.glob("photo*.json")}
        raise RuntimeError(sorted(name for name, annotation in found.items() if annotation.instances))

    monkeypatch.setattr(training, "collect_objects", collect)
    request = TrainRequest(
        mixed, 1, "fcn", tmp_path / "store", workspace=Workspace(mixed), journal_dir=journal_dir()
    )
    with pytest.raises(RuntimeError, match=r"\['photo1', 'photo3'\]"):
        run_training_job(request, lambda: False, lambda event: None)
