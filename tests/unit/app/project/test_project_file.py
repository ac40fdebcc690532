"""The folder's own file: made late, readable, merged, set aside when damaged, never taken for labels."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.segment import SegmentedPicture, existing_annotation, write_labelme_result
from app.document.document import Document
from app.project.labels import MAX_LABELS, LabelList
from app.project.project_file import ProjectFile, project_place
from app.project.workspace import Workspace
from converters.annotation import ImageAnnotation
from converters.conversion.convert import convert
from converters.errors import ConverterError
from converters.files.images import read_image
from converters.files.project_mark import MAX_PROJECT_BYTES
from converters.formats.labelme.document import read_labelme
from tests.unit.app.pictures import instance
from tests.unit.app.project.test_workspace import make_labels, make_picture, save

if TYPE_CHECKING:
    from pathlib import Path


def project_file(folder: Path) -> Path:
    return folder / "seedhue.json"


def write(file: Path, **content: Any) -> None:
    file.write_text(json.dumps({"seedhue_project": 1, **content}), encoding="utf-8")


def declare(project: ProjectFile, *names: str) -> None:
    labels = project.labels
    for name in names:
        labels = labels.declaring(name)
    project.change_labels(labels)


def listed(folder: Path) -> list[str]:
    content = json.loads(project_file(folder).read_text(encoding="utf-8"))
    return [label["name"] for label in content["labels"]]


def test_a_folder_with_nothing_to_say_has_no_file(tmp_path):
    project = ProjectFile(tmp_path)
    project.save()
    assert list(tmp_path.iterdir()) == []
    assert project.take_news() == ()
    nowhere = ProjectFile()
    declare(nowhere, "leaf")
    nowhere.save()
    assert nowhere.labels.names == ("leaf",)


def test_the_file_can_be_read_by_people(tmp_path):
    project = ProjectFile(tmp_path)
    project.change_labels(LabelList().declaring("叶", "#12ab9f").with_color("stem", "#000000"))
    assert project.is_changed
    project.save()
    assert not project.is_changed
    assert (
        project_file(tmp_path).read_text(encoding="utf-8")
        == """{
  "seedhue_project": 1,
  "labels": [
    {
      "name": "叶",
      "color": "#12ab9f"
    },
    {
      "name": "stem",
      "color": "#000000",
      "declared": false
    }
  ]
}
"""
    )
    assert ProjectFile(tmp_path).labels == project.labels
    before = project_file(tmp_path).stat().st_mtime_ns
    project.save()
    assert project_file(tmp_path).stat().st_mtime_ns == before


def test_what_is_not_understood_comes_back_out(tmp_path):
    odd = [7, {"name": ""}]
    labels = ["leaf", {"name": "stem", "kind": "line"}, *odd]
    write(project_file(tmp_path), schema={"a": [1]}, labels=labels, splits={"train": ["a.png"]})
    project = ProjectFile(tmp_path)
    assert project.labels.names == ("leaf", "stem")
    declare(project, "root")
    project.save()
    content = json.loads(project_file(tmp_path).read_text(encoding="utf-8"))
    assert content == {
        "seedhue_project": 1,
        "labels": [{"name": "leaf"}, {"name": "stem", "kind": "line"}, {"name": "root"}, *odd],
        "schema": {"a": [1]},
        "splits": {"train": ["a.png"]},
    }


def test_changes_of_two_windows_are_joined(tmp_path):
    one, other = ProjectFile(tmp_path), ProjectFile(tmp_path)
    declare(one, "a")
    one.save()
    declare(other, "b")
    other.save()
    assert listed(tmp_path) == ["a", "b"]
    assert other.labels.names == ("a", "b")
    one.change_labels(one.labels.with_color("a", "#111111"))
    one.save()
    other.change_labels(other.labels.with_color("b", "#222222"))
    other.save()
    assert other.labels.colors == {"a": "#111111", "b": "#222222"}
    assert (one.take_news(), other.take_news()) == ((), ())
    one.save()
    assert one.labels == other.labels


def test_of_two_colours_for_one_label_ours_wins_and_that_is_told(tmp_path):
    write(project_file(tmp_path), labels=[{"name": "a", "color": "#111111"}, {"name": "b"}])
    project = ProjectFile(tmp_path)
    project.change_labels(project.labels.with_color("a", "#222222"))
    write(project_file(tmp_path), labels=[{"name": "a", "color": "#333333"}, "b", "c"], note="theirs")
    project.save()
    assert project.labels.colors == {"a": "#222222"}
    assert project.labels.names == ("a", "b", "c")
    assert json.loads(project_file(tmp_path).read_text(encoding="utf-8"))["note"] == "theirs"
    (news,) = project.take_news()
    assert "changed elsewhere" in news
    assert "for a what" in news
    assert project.take_news() == ()


def test_a_label_taken_out_elsewhere_goes_here_too_unless_it_was_changed(tmp_path):
    write(project_file(tmp_path), labels=["a", "b"])
    project = ProjectFile(tmp_path)
    project.change_labels(project.labels.with_color("a", "#222222"))
    write(project_file(tmp_path), labels=[])
    project.save()
    assert project.labels.names == ("a",)
    project_file(tmp_path).unlink()  # nobody wants the labels away by that
    declare(project, "c")
    project.save()
    assert listed(tmp_path) == ["a", "c"]


def test_what_is_added_while_a_save_is_under_way_is_not_lost(tmp_path, monkeypatch):
    project = ProjectFile(tmp_path)
    declare(project, "first")
    real = os.replace

    def replace_late(*paths):
        declare(project, "second")
        real(*paths)

    monkeypatch.setattr(os, "replace", replace_late)
    saver = threading.Thread(target=project.save)
    saver.start()
    saver.join()
    monkeypatch.undo()
    assert listed(tmp_path) == ["first"]
    assert project.labels.names == ("first", "second")
    assert project.is_changed
    project.save()
    assert listed(tmp_path) == ["first", "second"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"seedhue_project": 1, "labels": [',
        b'<<<<<<< HEAD\n{"seedhue_project": 1}\n=======\n',
        b'{"seedhue_project": 1, "labels": 5}',
        b'{"seedhue_project": "one"}',
        b'{"seedhue_project": true}',
        b'["seedhue_project"]',
        b'{"seedhue_project": 1, "labels": ["\xff"]}',
        b'{"seedhue_project": 1, "labels": [' + b"1," * MAX_LABELS + b"1]}",
        b'{"seedhue_project": 1, "x": "' + b"x" * MAX_PROJECT_BYTES + b'"}',
        b'{"seedhue_project": 1, "x": ' + b"[" * 100_000 + b"}",
    ],
    ids=lambda content: content[:40].decode("ascii", "replace"),
)
def test_a_damaged_file_is_told_left_alone_and_set_aside_by_the_next_change(tmp_path, content):
    file = project_file(tmp_path)
    file.write_bytes(content)
    project = ProjectFile(tmp_path)
    assert project.labels == LabelList()
    (news,) = project.take_news()
    assert str(file) in news
    project.save()
    assert file.read_bytes() == content
    assert project.take_news() == ()
    declare(project, "leaf")
    project.save()
    assert listed(tmp_path) == ["leaf"]
    kept = tmp_path / "seedhue.json.damaged"
    assert kept.read_bytes() == content
    assert [str(kept) in told for told in project.take_news()] == [True]


def test_a_file_mended_meanwhile_is_taken_over(tmp_path):
    project_file(tmp_path).write_text('{"seedhue_project": 1, ', encoding="utf-8")
    project = ProjectFile(tmp_path)
    declare(project, "leaf")
    write(project_file(tmp_path), labels=["stem"])
    project.save()
    assert listed(tmp_path) == ["stem", "leaf"]


def test_a_file_of_a_later_version_is_not_touched(tmp_path):
    content = '{"seedhue_project": 2, "labels": {"leaf": {}}}'
    project_file(tmp_path).write_text(content, encoding="utf-8")
    project = ProjectFile(tmp_path)
    (news,) = project.take_news()
    assert "newer SeedHue" in news
    declare(project, "stem")
    project.save()
    project.save()
    assert project.take_news() == ()
    assert project_file(tmp_path).read_text(encoding="utf-8") == content
    assert project.labels.names == ("stem",)


def test_a_read_only_folder_is_told_once_and_work_goes_on(tmp_path, monkeypatch):
    project = ProjectFile(tmp_path)

    def refuse(*args, **options):
        raise PermissionError(errno.EACCES, "read-only")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    for name in ("a", "b"):
        declare(project, name)
        project.save()
    (news,) = project.take_news()
    assert "cannot be written" in news
    assert project.labels.names == ("a", "b")
    assert project.is_changed
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    project.save()
    assert listed(tmp_path) == ["a", "b"]


def test_a_file_that_may_not_be_read_is_not_set_aside(tmp_path, monkeypatch):
    write(project_file(tmp_path), labels=["a"])
    content = project_file(tmp_path).read_bytes()
    real = open

    def refuse(path, *args, **options):
        if str(path).endswith("seedhue.json"):
            raise PermissionError(errno.EACCES, "not yours")
        return real(path, *args, **options)

    monkeypatch.setattr("builtins.open", refuse)
    project = ProjectFile(tmp_path)
    declare(project, "b")
    project.save()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["seedhue.json"]
    assert project_file(tmp_path).read_bytes() == content
    unread, unkept = project.take_news()
    assert "cannot be read" in unread
    assert "This is tried again" in unkept


def test_a_picture_may_have_the_name(tmp_path):
    picture = make_picture(tmp_path / "SeedHue.png")
    workspace = Workspace(tmp_path)
    assert workspace.label_file(picture) == tmp_path / "SeedHue.json"
    declare(workspace.project, "leaf")
    workspace.project.save()
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("a"))
    save(workspace, document)
    assert [i.id for i in read_labelme(tmp_path / "SeedHue.json").instances] == ["a"]
    assert (tmp_path / ".seedhue.json").exists()
    again = Workspace(tmp_path)
    assert again.project.labels.names == ("leaf",)
    assert again.load(picture) == document.annotation


def test_a_picture_of_the_name_that_comes_later_takes_another_label_file(tmp_path):
    make_picture(tmp_path / "x.png")
    declared = Workspace(tmp_path).project
    declare(declared, "leaf")
    declared.save()
    picture = make_picture(tmp_path / "seedhue.png")
    workspace = Workspace(tmp_path)
    assert workspace.label_file(picture) == tmp_path / "seedhue.png.json"
    document = Document(workspace.load(picture), path=picture)
    document.add(instance("a"))
    save(workspace, document)
    assert Workspace(picture).load(picture) == document.annotation
    assert Workspace(tmp_path).project.labels.names == ("leaf",)


def test_somebody_else_s_file_of_the_name_stays_theirs(tmp_path):
    project_file(tmp_path).write_text('{"settings": 1}', encoding="utf-8")
    project = ProjectFile(tmp_path)
    declare(project, "leaf")
    project.save()
    assert project.take_news() == ()
    assert project_file(tmp_path).read_text(encoding="utf-8") == '{"settings": 1}'
    assert project_place(tmp_path) == tmp_path / ".seedhue.json"
    assert ProjectFile(tmp_path).labels.names == ("leaf",)


def test_the_file_is_no_picture_s_labels_and_is_not_converted(tmp_path):
    folder = tmp_path / "pictures"
    make_picture(folder / "x.png")
    make_labels(folder / "x.json", instance("a"))
    plain = convert(folder, tmp_path / "without.json", target_format="coco")
    # As bad as it can be: keys that would make it a labelme and a COCO file.
    disguised = {"shapes": [], "imagePath": "x.png", "images": [], "annotations": []}
    write(project_file(folder), labels=["a"], **disguised)
    assert [path.name for path in Workspace(folder).pictures] == ["x.png"]
    assert Workspace(project_file(folder)).root == folder
    joined = convert(folder, tmp_path / "with.json", target_format="coco")
    assert joined.failures == plain.failures == ()
    assert joined.source_format == plain.source_format == "labelme"
    assert (tmp_path / "with.json").read_bytes() == (tmp_path / "without.json").read_bytes()
    with pytest.raises(ConverterError):
        convert(project_file(folder), tmp_path / "x.json", target_format="coco")


def test_labels_alone_in_a_folder_have_a_project_beside_them(tmp_path):
    make_picture(tmp_path / "images" / "x.png")
    make_labels(tmp_path / "labels" / "x.json", instance("a"), image="../images/x.png")
    write(project_file(tmp_path / "labels"), labels=["a"], shapes=[], imagePath="../images/x.png")
    workspace = Workspace(tmp_path / "labels")
    assert workspace.label_file(workspace.pictures[0]).name == "x.json"
    assert workspace.project.labels.names == ("a",)


def test_scattered_pictures_have_no_project(tmp_path):
    one, two = make_picture(tmp_path / "a" / "x.png"), make_picture(tmp_path / "b" / "y.png")
    write(project_file(tmp_path), labels=["a"])
    write(project_file(tmp_path / "a"), labels=["leaf"])
    assert Workspace([one, two]).project.folder is None
    assert Workspace(one).project.labels.names == ("leaf",)
    assert Workspace(tmp_path, subfolders=True).project.labels.names == ("a",)


def test_no_picture_s_labels_are_written_over_it(tmp_path):
    write(project_file(tmp_path), labels=["a"])
    content = project_file(tmp_path).read_bytes()
    with pytest.raises(ConverterError, match="labels of its folder"):
        make_labels(project_file(tmp_path), instance("a"))
    picture = make_picture(tmp_path / "seedhue.png")
    result = SegmentedPicture(picture, ImageAnnotation("seedhue.png", 60, 80, (instance("a"),)), 1)
    assert write_labelme_result(result, tmp_path) == tmp_path / "seedhue.png.json"
    found = existing_annotation(picture, read_image(picture))
    assert found is not None
    assert [i.id for i in found.instances] == ["a"]
    assert project_file(tmp_path).read_bytes() == content


def test_two_windows_that_save_at_once_lose_nothing(tmp_path):
    windows = [ProjectFile(tmp_path) for _ in range(2)]
    both = threading.Barrier(2)

    def work(window: ProjectFile, mark: str) -> None:
        for number in range(15):
            declare(window, f"{mark}{number}")
            both.wait(timeout=30)
            window.save()

    threads = [
        threading.Thread(target=work, args=(window, mark)) for window, mark in zip(windows, "ab", strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(listed(tmp_path)) == {f"{mark}{number}" for mark in "ab" for number in range(15)}


def test_more_than_would_be_read_again_is_not_written(tmp_path):
    write(project_file(tmp_path), labels=[f"label {number}" for number in range(MAX_LABELS)])
    before = project_file(tmp_path).read_bytes()
    project = ProjectFile(tmp_path)
    declare(project, "one more")
    project.save()
    (news,) = project.take_news()
    assert "at most" in str(news)
    assert project.is_changed
    assert project_file(tmp_path).read_bytes() == before
    assert len(ProjectFile(tmp_path).labels.names) == MAX_LABELS


@pytest.mark.parametrize("name", ["", "  ", "z" * 1001])
def test_a_name_that_no_file_gives_back_is_not_taken(tmp_path, name):
    labels = LabelList().declaring("cat", "#112233")
    assert labels.renamed("cat", name) == labels


def test_an_order_that_others_chose_stays(tmp_path):
    write(project_file(tmp_path), labels=["a", "b"])
    project = ProjectFile(tmp_path)
    write(project_file(tmp_path), labels=["b", "a"])
    declare(project, "c")
    project.save()
    assert listed(tmp_path) == ["b", "a", "c"]


def test_a_label_told_twice_is_one(tmp_path):
    write(project_file(tmp_path), labels=["a", {"name": "a", "color": "#ff0000", "kind": "thing"}])
    project = ProjectFile(tmp_path)
    assert project.labels.color_of("a") == "#ff0000"
    project.change_labels(project.labels.renamed("a", "z"))
    project.save()
    assert listed(tmp_path) == ["z"]
    assert ProjectFile(tmp_path).labels.names == ("z",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(60)
def test_what_is_no_file_never_waits_and_later_labels_are_told_not_to_last(tmp_path):
    os.mkfifo(project_file(tmp_path))
    project = ProjectFile(tmp_path)
    assert project.take_news()
    declare(project, "leaf")
    project.save()
    (news,) = project.take_news()
    assert "This is tried again" in str(news)
    assert not project_file(tmp_path).is_file()
