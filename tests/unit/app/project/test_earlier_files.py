"""Settings, annotation file and journal as they were written before folders had a file of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from app.document.journal import journal_file
from app.document.journal_records import from_line, to_line
from app.document.recovery import open_document
from app.project.picture_states import PictureState
from app.project.review import Review, ReviewStatus, review_of
from app.project.settings import SettingsStore
from app.project.workspace import Workspace
from converters.annotation import Box
from tests.unit.app.project.test_workspace import make_picture

EARLIER = Path(__file__).parent / "earlier_files"


def earlier_folder(folder: Path) -> Path:
    picture = make_picture(folder / "photo.png", 12, 16)
    shutil.copy(EARLIER / "photo.json", folder)
    return picture


def test_settings(tmp_path):
    shutil.copy(EARLIER / "settings.json", tmp_path)
    store = SettingsStore(tmp_path / "settings.json")
    assert store.problem == ""
    settings = store.settings
    assert (settings.language, settings.autosave, settings.brush_radius) == ("zh_CN", False, 7.5)
    assert (settings.label, settings.labels) == ("leaf", ("leaf", "stem"))
    assert settings.label_colors == {"leaf": "#12ab9f"}
    store.change(autosave=True)
    store.save()
    before, after = (json.loads((f / "settings.json").read_text("utf-8")) for f in (EARLIER, tmp_path))
    came_since = {"ask_about_masks": False}
    assert after == {**before, "autosave": True, **came_since}
    assert [name for name in after if name not in came_since] == list(before)


def test_labels_and_review(tmp_path):
    picture = earlier_folder(tmp_path)
    workspace = Workspace(tmp_path)
    annotation = workspace.load(picture)
    assert review_of(annotation) == Review(ReviewStatus.REJECTED, "too wide")
    assert workspace.state(picture) is PictureState.REJECTED
    assert workspace.project.labels.names == ()
    workspace.project.save()
    workspace.write(picture, annotation)
    assert (tmp_path / "photo.json").read_bytes() == (EARLIER / "photo.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.json", "photo.png"]


def test_journal(tmp_path):
    picture = earlier_folder(tmp_path / "pictures")
    first, *rest = (EARLIER / "photo.journal").read_bytes().splitlines(keepends=True)
    header = from_line(first)
    assert header is not None
    header["picture"] = str(picture.resolve())
    journal = journal_file(picture, tmp_path / "journals")
    journal.parent.mkdir()
    journal.write_bytes(b"".join([to_line(header), *rest]))
    document = open_document(picture, Workspace(picture).load(picture), journal.parent)
    assert document.recovery.restored
    assert document.recovery.lost_lines == 0
    assert [step.title for step in document.history.steps] == [
        *("Add leaf", "Reject"),
        *("Set flag seen", "Label stem"),
    ]
    (only,) = document.annotation.instances
    assert (only.label, only.geometry) == ("stem", Box(2, 3, 9, 8))
    assert document.annotation.flags == {"seen": True}
    document.undo()
    document.undo()
    assert not document.is_modified
    document.close()
