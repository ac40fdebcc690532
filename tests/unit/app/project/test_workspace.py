from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.document.document import Document
from app.document.recovery import open_document
from app.project.picture_states import PictureState
from app.project.review import Review, ReviewStatus, review_of, with_review
from app.project.workspace import ForeignChangeError, Workspace
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.files.images import write_image
from converters.formats.labelme.document import find_image, read_labelme, write_labelme
from converters.frozen import FrozenMap
from tests.unit.app.pictures import EVERY_GEOMETRY, instance, rich_instance, square

HEIGHT, WIDTH = 60, 80


def make_picture(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((height, width, 3), 128, np.uint8))
    return path


def make_labels(path: Path, *instances, image: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labelme(path, ImageAnnotation(image or f"{path.stem}.png", HEIGHT, WIDTH, tuple(instances)))
    return path


def save(workspace: Workspace, document: Document, *, replace_foreign: bool = False) -> Path:
    """Writes a document's state and marks it saved, as the window's saver does."""
    assert document.path is not None
    state = document.state
    file = workspace.write(document.path, document.annotation, replace_foreign=replace_foreign)
    document.mark_saved(state)
    workspace.set_modified(document.path, document.is_modified)
    return file


def names(workspace: Workspace) -> list[str]:
    return [picture.relative_to(workspace.root).as_posix() for picture in workspace.pictures]


def test_pictures_stand_in_natural_order(tmp_path):
    for name in ("img10.png", "img2.png", "IMG1.jpg", "a.bmp", ".hidden.png"):
        make_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    workspace = Workspace(tmp_path)
    assert names(workspace) == ["a.bmp", "IMG1.jpg", "img2.png", "img10.png"]
    first = workspace.pictures[0]
    assert workspace.following(first) == workspace.pictures[1]
    assert workspace.following(first, -1) is None
    assert workspace.following(workspace.pictures[-1]) is None
    assert workspace.following(tmp_path / "gone.png") == first


def test_subfolders_only_when_asked_and_links_are_not_followed(tmp_path):
    make_picture(tmp_path / "b.png")
    make_picture(tmp_path / "sub" / "deep" / "a.png")
    make_picture(tmp_path / ".git" / "x.png")
    (tmp_path / "sub" / "round").symlink_to(tmp_path)
    assert names(Workspace(tmp_path)) == ["b.png"]
    assert names(Workspace(tmp_path, subfolders=True)) == ["b.png", "sub/deep/a.png"]


def test_files_and_label_files_can_be_opened_too(tmp_path):
    one, two = make_picture(tmp_path / "x" / "b.png"), make_picture(tmp_path / "y" / "a.png")
    labels = make_labels(tmp_path / "y" / "a.json")
    workspace = Workspace([one, labels, one])
    assert workspace.pictures == (one, two)
    assert workspace.root == tmp_path
    assert Workspace(str(labels)).pictures == (two,)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "no such file"),
        ("empty", "no pictures"),
        ("notes.txt", "not opened"),
        ("bad.json", "JSON"),
    ],
)
def test_what_cannot_be_opened_is_told_with_the_path(tmp_path, name, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "bad.json").write_text('{"shapes": [')
    with pytest.raises(ConverterError, match=told) as error:
        Workspace(tmp_path / name)
    assert error.value.path == tmp_path / name


def test_of_several_files_the_good_ones_are_opened(tmp_path):
    good = make_picture(tmp_path / "a.png")
    workspace = Workspace([good, tmp_path / "gone.png"])
    assert workspace.pictures == (good,)
    assert [error.path for error in workspace.skipped] == [tmp_path / "gone.png"]
    with pytest.raises(ConverterError):
        Workspace([tmp_path / "x.png", tmp_path / "y.png"])
    with pytest.raises(ConverterError):
        Workspace([])


def test_a_folder_without_permission_is_told(tmp_path, monkeypatch):
    make_picture(tmp_path / "a.png")
    make_picture(tmp_path / "closed" / "b.png")
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(ConverterError, match="permission"):
        Workspace(tmp_path / "closed")
    workspace = Workspace(tmp_path, subfolders=True)
    assert names(workspace) == ["a.png"]
    assert [error.path for error in workspace.skipped] == [tmp_path / "closed"]


def test_new_pictures_are_seen_after_refreshing(tmp_path):
    make_picture(tmp_path / "b.png")
    workspace = Workspace(tmp_path)
    make_picture(tmp_path / "a.png")
    workspace.refresh()
    assert names(workspace) == ["a.png", "b.png"]


def test_work_goes_to_the_file_and_back(tmp_path):
    picture = make_picture(tmp_path / "photo.png")
    workspace = Workspace(tmp_path)
    assert workspace.state(picture) is PictureState.NONE
    annotation = workspace.load(picture)
    assert annotation == ImageAnnotation("photo.png", HEIGHT, WIDTH)
    document = Document(annotation, path=picture)
    document.add(*(rich_instance(g, f"r{n}") for n, g in enumerate(EVERY_GEOMETRY)))
    assert save(workspace, document) == tmp_path / "photo.json"
    assert not document.is_modified
    assert workspace.state(picture) is PictureState.ANNOTATED
    assert Workspace(tmp_path).load(picture) == document.annotation


def test_the_whole_way_through_journal_and_file(tmp_path, own_home):
    picture = make_picture(tmp_path / "photo.png")
    workspace = Workspace(tmp_path)
    document = open_document(picture, workspace.load(picture), own_home / "journals")
    document.add(instance("a"))
    save(workspace, document)
    document.add(instance("b"))
    expected = document.annotation
    document.close()
    again = open_document(picture, Workspace(tmp_path).load(picture), own_home / "journals")
    assert again.annotation == expected
    assert again.recovery.restored
    again.undo()
    assert not again.is_modified
    again.close()


def test_a_saver_thread_writes_and_the_document_is_told(tmp_path):
    picture = make_picture(tmp_path / "photo.png")
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("a"))
    annotation, state = document.annotation, document.state
    saver = threading.Thread(target=workspace.write, args=(picture, annotation))
    saver.start()
    document.add(instance("b"))
    saver.join()
    document.mark_saved(state)
    assert document.is_modified
    assert len(read_labelme(tmp_path / "photo.json").instances) == 1


def test_pictures_of_one_stem_do_not_share_labels(tmp_path):
    jpg, png = make_picture(tmp_path / "x.jpg"), make_picture(tmp_path / "x.png")
    workspace = Workspace(tmp_path)
    assert workspace.label_file(jpg) == tmp_path / "x.json"
    assert workspace.label_file(png) == tmp_path / "x.png.json"
    assert Workspace(png).label_file(png) == tmp_path / "x.png.json"
    for picture in (jpg, png):
        workspace.load(picture)
        workspace.write(picture, ImageAnnotation(picture.name, HEIGHT, WIDTH, (instance(picture.name),)))
    again = Workspace(tmp_path)
    for picture in (jpg, png):
        assert again.load(picture).instances[0].id == picture.name


def test_existing_labels_stay_with_the_picture_they_name(tmp_path):
    jpg, png = make_picture(tmp_path / "x.jpg"), make_picture(tmp_path / "x.png")
    make_labels(tmp_path / "x.json", instance("a"), image="x.png")
    workspace = Workspace(tmp_path)
    assert workspace.label_file(png) == tmp_path / "x.json"
    assert workspace.label_file(jpg) == tmp_path / "x.jpg.json"
    assert Workspace(jpg).label_file(jpg) == tmp_path / "x.jpg.json"


def test_labels_under_the_full_name_are_found_after_the_namesake_is_gone(tmp_path):
    jpg = make_picture(tmp_path / "x.jpg")
    make_labels(tmp_path / "x.jpg.json", instance("a"), image="x.jpg")
    assert [i.id for i in Workspace(jpg).load(jpg).instances] == ["a"]


def test_labels_of_a_deleted_namesake_are_nobody_else_s(tmp_path):
    jpg, png, bmp = (make_picture(tmp_path / f"x.{suffix}") for suffix in ("jpg", "png", "bmp"))
    make_labels(tmp_path / "x.json", instance("of jpg"), image="x.jpg")
    make_labels(tmp_path / "x.png.json", instance("of png"), image="x.png")
    before = (tmp_path / "x.json").read_bytes()
    jpg.unlink()
    for workspace in (Workspace(tmp_path), Workspace(png)):
        assert [i.id for i in workspace.load(png).instances] == ["of png"]
    assert Workspace(tmp_path).load(bmp).instances == ()
    bmp.unlink()
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(png), path=png)
    assert [i.id for i in document.annotation.instances] == ["of png"]
    document.add(instance("more"))
    assert save(workspace, document) == tmp_path / "x.png.json"
    assert (tmp_path / "x.json").read_bytes() == before
    with pytest.raises(ConverterError, match="not to be found"):  # nor in a conversion
        find_image(tmp_path / "x.json", read_labelme(tmp_path / "x.json"))


def test_a_picture_saved_in_another_format_keeps_its_labels(tmp_path):
    png = make_picture(tmp_path / "x.png")
    make_labels(tmp_path / "x.json", instance("a"), image="x.jpg")
    assert [i.id for i in Workspace(tmp_path).load(png).instances] == ["a"]


LONG = {
    "its label file's name under its full name": "x" * 247 + ".jpg",
    "its label file's name": "x" * 251 + ".png",
    "its temporary file's name": "图" * 81 + ".png",
    "characters of four bytes": "🌿" * 62 + ".jpg",
}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_long_name_does_not_stop_its_folder_and_is_saved(tmp_path, name):
    photos = [make_picture(tmp_path / other) for other in ("a.png", name, f"{name[:-4]}.bmp")]
    workspace = Workspace(tmp_path)
    assert set(workspace.pictures) == set(photos)
    for number, photo in enumerate(photos):
        document = Document(workspace.load(photo), path=photo)
        document.add(instance(str(number)))
        save(workspace, document)
    again = Workspace(tmp_path)
    assert [again.load(photo).instances[0].id for photo in photos] == ["0", "1", "2"]
    file = again.label_file(photos[1])
    file.write_text("{", encoding="utf-8")
    with pytest.raises(ConverterError):
        again.load(photos[1])
    again.write(photos[1], ImageAnnotation(name, HEIGHT, WIDTH))
    assert [kept.read_text() for kept in tmp_path.glob("*.damaged")] == ["{"]


def test_labels_in_a_folder_of_their_own(tmp_path):
    picture = make_picture(tmp_path / "images" / "x.png")
    labels = make_labels(tmp_path / "labels" / "x.json", instance("a"), image="../images/x.png")
    for source in (labels, labels.parent):
        workspace = Workspace(source)
        assert workspace.pictures == (picture,)
        document = Document(workspace.load(picture), path=picture)
        document.add(instance("b"))
        assert save(workspace, document) == labels
        assert read_labelme(labels).image_path == "../images/x.png"
        document.undo()
        save(workspace, document)
    assert not (tmp_path / "images" / "x.json").exists()


def test_a_renamed_picture_is_named_anew(tmp_path):
    picture = make_picture(tmp_path / "new.png")
    make_labels(tmp_path / "new.json", instance("a"), image="C:\\old\\old.png")
    annotation = Workspace(tmp_path).load(picture)
    assert annotation.image_path == "new.png"
    assert [i.id for i in annotation.instances] == ["a"]


@pytest.mark.parametrize("content", [b'{"version": "7.9", "shapes": [', b"", b"[]", b"\xff\x00"])
def test_a_damaged_label_file_is_told_and_kept_when_saving(tmp_path, content):
    picture = make_picture(tmp_path / "x.png")
    (tmp_path / "x.json").write_bytes(content)
    workspace = Workspace(tmp_path)
    assert workspace.read_state(picture) is PictureState.BROKEN
    with pytest.raises(ConverterError) as error:
        workspace.load(picture)
    assert error.value.path == tmp_path / "x.json"
    assert workspace.state(picture) is PictureState.BROKEN
    workspace.write(picture, ImageAnnotation("x.png", HEIGHT, WIDTH, (instance("a"),)))
    assert (tmp_path / "x.json.damaged").read_bytes() == content
    assert workspace.state(picture) is PictureState.ANNOTATED
    workspace.write(picture, ImageAnnotation("x.png", HEIGHT, WIDTH))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.json.damaged", "x.png"]


def test_labels_of_a_picture_of_another_size_are_told(tmp_path):
    picture = make_picture(tmp_path / "x.png", 10, 20)
    make_labels(tmp_path / "x.json", instance("a"))
    with pytest.raises(ConverterError, match="80 x 60"):
        Workspace(tmp_path).load(picture)


def test_a_text_called_png_is_told(tmp_path):
    (tmp_path / "x.png").write_text("not a picture at all")
    workspace = Workspace(tmp_path)
    with pytest.raises(ConverterError):
        workspace.load(tmp_path / "x.png")
    assert workspace.state(tmp_path / "x.png") is PictureState.BROKEN


def test_what_another_program_wrote_is_not_overwritten(tmp_path):
    picture = make_picture(tmp_path / "x.png")
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("ours"))
    make_labels(tmp_path / "x.json", instance("theirs"), instance("more", square(9, 9)))
    with pytest.raises(ForeignChangeError) as error:
        save(workspace, document)
    assert error.value.remedy
    assert document.is_modified
    save(workspace, document, replace_foreign=True)
    assert [i.id for i in read_labelme(tmp_path / "x.json").instances] == ["ours"]
    assert len(read_labelme(tmp_path / "x.json.kept").instances) == 2
    document.add(instance("later"))
    save(workspace, document)


def test_a_foreign_file_of_equal_size_and_time_is_not_overwritten(tmp_path):
    picture = make_picture(tmp_path / "x.png")
    labels = make_labels(tmp_path / "x.json", instance("a", label="cat"))
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("b"))
    facts = labels.stat()
    foreign = labels.read_bytes().replace(b"cat", b"dog")
    labels.write_bytes(foreign)
    os.utime(labels, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(ForeignChangeError):
        save(workspace, document)
    assert labels.read_bytes() == foreign
    os.utime(labels)  # a time alone is no change
    labels.write_bytes(foreign.replace(b"dog", b"cat"))
    save(workspace, document)


def test_a_file_that_changes_while_it_is_written_is_not_overwritten(tmp_path, monkeypatch):
    picture = make_picture(tmp_path / "x.png")
    labels = make_labels(tmp_path / "x.json", instance("a", label="cat"))
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("b"))
    fsync = os.fsync
    foreign = labels.read_bytes().replace(b"cat", b"dog")

    def interfere(descriptor):
        labels.write_bytes(foreign)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interfere)
    with pytest.raises(ForeignChangeError):
        save(workspace, document)
    assert labels.read_bytes() == foreign
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.json", "x.png"]


def test_a_change_from_outside_is_known_and_taken_over_once(tmp_path):
    picture = make_picture(tmp_path / "x.png")
    labels = make_labels(tmp_path / "x.json", instance("a", label="cat"))
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    assert workspace.outside_change(picture) is None
    labels.write_bytes(labels.read_bytes().replace(b"cat", b"dog"))
    change = workspace.outside_change(picture)
    assert change is not None
    document.add(instance("b"))
    with pytest.raises(ForeignChangeError):  # it is not known yet
        save(workspace, document)
    workspace.acknowledge(change)
    assert workspace.outside_change(picture) is None
    document.take_over(change.annotation)
    assert [i.label for i in document.annotation.instances] == ["dog"]
    assert not document.is_modified
    document.undo()
    assert [i.id for i in document.annotation.instances] == ["a", "b"]
    save(workspace, document)
    labels.write_text("{", encoding="utf-8")
    assert workspace.outside_change(picture) is None


def test_states_of_all_pictures(tmp_path):
    for name in (
        "none",
        "done",
        "emptied",
        "approved",
        "rejected",
        "broken",
        "unsaved",
        "mention",
        "flagged",
    ):
        make_picture(tmp_path / f"{name}.png")
    make_labels(tmp_path / "done.json", instance("a"))
    make_labels(tmp_path / "emptied.json")
    flagged = ImageAnnotation("flagged.png", HEIGHT, WIDTH, flags=FrozenMap({"blurred": True}))
    write_labelme(tmp_path / "flagged.json", flagged)
    make_labels(tmp_path / "mention.json", instance("review"), instance("a", description='"review"'))
    for name, status in (("approved", ReviewStatus.APPROVED), ("rejected", ReviewStatus.REJECTED)):
        annotation = with_review(
            ImageAnnotation(f"{name}.png", HEIGHT, WIDTH), Review(status, "ears missing")
        )
        write_labelme(tmp_path / f"{name}.json", annotation)
    (tmp_path / "broken.json").write_text('{"shapes": [')
    workspace = Workspace(tmp_path)
    workspace.set_modified(tmp_path / "unsaved.png", True)
    told: dict[str, PictureState] = {}
    workspace.read_states(lambda picture, state: told.update({picture.stem: state}))
    assert told == {
        "none": PictureState.NONE,
        "done": PictureState.ANNOTATED,
        "emptied": PictureState.NONE,
        "flagged": PictureState.ANNOTATED,
        "mention": PictureState.ANNOTATED,
        "approved": PictureState.REVIEWED,
        "rejected": PictureState.REJECTED,
        "broken": PictureState.BROKEN,
        "unsaved": PictureState.MODIFIED,
    }
    assert all(workspace.state(picture) is told[picture.stem] for picture in workspace.pictures)
    workspace.set_modified(tmp_path / "unsaved.png", False)
    assert workspace.state(tmp_path / "unsaved.png") is PictureState.NONE
    count: list[Path] = []
    workspace.read_states(lambda picture, _s: count.append(picture), should_stop=lambda: len(count) > 2)
    assert len(count) == 3


def test_reviews_travel_in_the_label_file_and_are_undoable(tmp_path):
    picture = make_picture(tmp_path / "x.png")
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    approved = Review(ReviewStatus.APPROVED)
    document.edit(approved.title, with_review(document.annotation, approved))
    assert document.undo_title == "Mark as reviewed"
    save(workspace, document)
    assert workspace.state(picture) is PictureState.REVIEWED
    assert review_of(Workspace(tmp_path).load(picture)) == approved
    document.undo()
    assert review_of(document.annotation) == Review()
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["seedhue"]["review"] == {"status": "approved"}


@pytest.mark.parametrize("value", [None, 3, [], {}, {"status": "great"}, {"status": ["x"]}])
def test_a_review_that_makes_no_sense_is_none(tmp_path, value):
    make_picture(tmp_path / "x.png")
    shape = {"label": "a", "points": [[1, 1], [9, 1], [1, 9]], "shape_type": "polygon"}
    content = {"shapes": [shape], "imagePath": "x.png", "seedhue": {"review": value, "later": 1}}
    (tmp_path / "x.json").write_text(json.dumps(content))
    workspace = Workspace(tmp_path)
    annotation = workspace.load(tmp_path / "x.png")
    assert review_of(annotation) == Review()
    assert workspace.read_state(tmp_path / "x.png") is PictureState.ANNOTATED
    reviewed = with_review(annotation, Review(ReviewStatus.REJECTED, "look again"))
    assert reviewed.extra["seedhue"]["later"] == 1
    assert with_review(reviewed, Review()).extra["seedhue"] == {"later": 1}


def test_a_full_disk_leaves_file_and_document_as_they_were(tmp_path, monkeypatch):
    picture = make_picture(tmp_path / "x.png")
    make_labels(tmp_path / "x.json", instance("a"))
    before = (tmp_path / "x.json").read_bytes()
    workspace = Workspace(tmp_path)
    document = Document(workspace.load(picture), path=picture)
    document.replace(replace(document.annotation.instances[0], label="cat"))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConverterError, match="disk is full"):
        save(workspace, document)
    assert document.is_modified
    assert (tmp_path / "x.json").read_bytes() == before
    monkeypatch.undo()
    save(workspace, document)
    assert not document.is_modified
