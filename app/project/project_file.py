"""What a folder says about itself, in its file `seedhue.json`: its labels (docs/adr/0018).

The file is made when there is something to say. People may read and write it, other programs may change
it while it is open here: a save merges both sides, key by key. Nothing is lost silently: what cannot be
understood is kept, a damaged file is set aside, and `take_news` tells what the user should know.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.journal import write_problem
from app.project.label_files import is_picture
from app.project.labels import MAX_LABELS, Label, LabelList, label_of, plain_label
from app.project.one_writer import one_writer
from app.project.three_way_merge import merge_by_key
from converters.errors import ConverterError
from converters.files.files import (
    json_text,
    parse_json,
    read_text,
    set_aside,
    write_atomic,
    writing_error,
)
from converters.files.project_mark import (
    HIDDEN_PROJECT_FILE,
    MAX_PROJECT_BYTES,
    PROJECT_FILE,
    PROJECT_KEY,
    is_project_file,
)
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1
_LABELS: Final = "labels"
_EXPORTED: Final = "exported"


@dataclass(frozen=True, slots=True)
class Project:
    """What a project file holds.

    Attributes:
        strange: entries of the list of labels that are none, kept as they are.
        extra: the other keys, kept as they are.
    """

    labels: LabelList = field(default_factory=LabelList)
    strange: tuple[Any, ...] = ()
    extra: FrozenMap[Any] = field(default_factory=FrozenMap)


class NewerProjectError(ConverterError):
    """A later version of SeedHue wrote the file in a way this one does not know."""


def project_of(value: Any, *, path: Path | None = None) -> Project:
    """The project in a JSON document.

    Raises:
        NewerProjectError: as it says.
        ConverterError: it is no project file, or the list of labels is none or absurdly long.
    """
    version = value.get(PROJECT_KEY) if isinstance(value, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ConverterError(f'it has no version under the key "{PROJECT_KEY}".', path=path)
    if version > VERSION:
        raise NewerProjectError("it was written by a newer version of SeedHue.", path=path)
    entries = value.get(_LABELS, [])
    if not isinstance(entries, list) or len(entries) > MAX_LABELS:
        raise ConverterError(f"its labels must be a list of at most {MAX_LABELS:,}.", path=path)
    labels: dict[str, Label] = {}
    strange: list[Any] = []
    for entry in entries:
        label = label_of(entry)
        if label is None:
            strange.append(entry)
        elif label.name in labels:  # one label, told in two places: the first one's words count
            joined = label_of({**plain_label(label), **plain_label(labels[label.name])})
            labels[label.name] = joined or label
        else:
            labels[label.name] = label
    rest = {key: item for key, item in value.items() if key not in (PROJECT_KEY, _LABELS)}
    return Project(LabelList(tuple(labels.values())), tuple(strange), FrozenMap(rest))


def plain_project(project: Project) -> dict[str, Any]:
    """The JSON document of a project, in the order in which people read it."""
    labels = [*map(plain_label, project.labels), *project.strange]
    return {PROJECT_KEY: VERSION, _LABELS: labels, **project.extra}


def merge_projects(base: Project, ours: Project, theirs: Project) -> tuple[Project, tuple[str, ...]]:
    """Both sides' changes to `base`, and what of theirs gave way: labels and keys by name."""
    merged, conflicts = merge_by_key(_by_name(base), _by_name(ours), _by_name(theirs))
    labels = [label_of({**facts, "name": name}) for name, facts in merged.pop(_LABELS).items()]
    project = Project(
        LabelList(tuple(label for label in labels if label is not None)),
        theirs.strange if ours.strange == base.strange else ours.strange,
        FrozenMap(merged),
    )
    return project, tuple(dict.fromkeys(path[1] if path[0] == _LABELS else path[0] for path in conflicts))


def exported_pictures(folder: Path) -> dict[str, int]:
    """Names and sizes in bytes of the pictures that were exported into a folder: no work to do."""
    for place in (folder / PROJECT_FILE, folder / HIDDEN_PROJECT_FILE):
        if is_project_file(place):
            try:
                project = _read(place)
            except ConverterError:
                continue
            found = project.extra.get(_EXPORTED) if project is not None else None
            if isinstance(found, Mapping):
                return {name: size for name, size in found.items() if type(size) is int}
    return {}


def project_place(folder: Path) -> Path:
    """The folder's project file, existing or to be written.

    `seedhue.json`, unless that is or would be the annotation file of a picture, or somebody else's.
    """
    named, hidden = folder / PROJECT_FILE, folder / HIDDEN_PROJECT_FILE
    if is_project_file(named):
        return named
    if os.path.lexists(hidden) or _is_claimed(named):
        return hidden
    return named


class ProjectFile:
    """The project of one folder: read here, changed in memory, written and merged by `save`.

    `labels` and `change_labels` are for the window's thread and never wait for a file; everything else
    that touches the disk is for worker threads.

    Attributes:
        folder: None for pictures without a folder in common: then nothing is kept.
        problem: why what was changed here is not in the file, after the last `save`; empty if it is.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Reads the folder's file; what is wrong with it is news."""
        self.folder = folder
        self.problem = ""
        self._news: list[Title] = []
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._content = self._base = Project()
        if folder is not None:
            place = project_place(folder)
            try:
                self._content = self._base = _read(place) or Project()
            except ConverterError as error:
                self._tell_unreadable(place, error)

    @property
    def labels(self) -> LabelList:
        """The folder's labels as they are now."""
        return self._content.labels

    @property
    def is_changed(self) -> bool:
        """Whether there is something that the file does not hold."""
        return self._content != self._base

    def change_labels(self, labels: LabelList) -> None:
        """Makes these the folder's labels; the file follows with the next `save`."""
        with self._lock:
            self._content = Project(labels, self._content.strange, self._content.extra)

    def note_exported(self, name: str, size: int) -> None:
        """A picture of that name and size in bytes is an export; the file follows with the next `save`."""
        with self._lock:
            known = self._content.extra.get(_EXPORTED)
            exported = {**(known if isinstance(known, Mapping) else {}), name: size}
            extra = FrozenMap({**self._content.extra, _EXPORTED: exported})
            self._content = Project(self._content.labels, self._content.strange, extra)

    def take_news(self) -> tuple[Title, ...]:
        """What the user should know, once."""
        with self._lock:
            news, self._news = tuple(self._news), []
        return news

    def save(self) -> None:
        """Takes over what others changed in the file and writes what changed here.

        A failure is news, told once until it works again: the program goes on without the file.
        """
        with self._saving:
            if self.folder is None:
                return
            with self._lock:
                base, ours = self._base, self._content
            place = project_place(self.folder)
            with one_writer(place):
                merged = self._joined(place, base, ours)
            if merged is None:
                return
            self.problem = ""
            with self._lock:
                self._content, _ = merge_projects(ours, self._content, merged)
                self._base = merged

    def _joined(self, place: Path, base: Project, ours: Project) -> Project | None:
        """What the file holds now; None if it could not be made to hold what was changed."""
        try:
            found = _read(place)
        except NewerProjectError as error:
            self._tell_unreadable(place, error)
            self.problem = str(error) if ours != base else ""
            return None
        except ConverterError as error:
            if ours == base:
                self.problem = ""
                self._tell_unreadable(place, error)
                return None
            if isinstance(error.__cause__, OSError):  # that says nothing about the content
                self._tell_unwritable(error)
                return None
            if not self._set_aside(place):
                return None
            found = None
        # A file that is gone was not emptied by somebody who wants the labels away.
        merged, gave_way = merge_projects(base, ours, base if found is None else found)
        if merged != (found or Project()):
            try:
                write_atomic(place, _text_of(merged, place))
            except ConverterError as error:
                self._tell_unwritable(error)
                return None
            self._told.clear()
        if gave_way:
            self._tell(
                Title(
                    phrase("{file} was changed elsewhere, too; for {names} what was chosen here is kept."),
                    file=str(place),
                    names=", ".join(gave_way),
                )
            )
        return merged

    def _set_aside(self, place: Path) -> bool:
        try:
            kept = set_aside(place, "damaged")
        except OSError as error:
            self._tell_unwritable(writing_error(error, place))
            return False
        self._tell(Title(phrase("The damaged project file is kept as {file}."), file=str(kept)))
        return True

    def _tell_unreadable(self, place: Path, error: ConverterError) -> None:
        if isinstance(error, NewerProjectError):
            pattern = phrase("{file} was written by a newer SeedHue; labels are not kept in this folder.")
            self._tell_once(Title(pattern, file=str(place)))
        else:
            pattern = phrase("The folder's labels cannot be read: {problem} The file is left as it is.")
            self._tell_once(Title(pattern, problem=str(error)))

    def _tell_unwritable(self, error: ConverterError) -> None:
        cause = error.__cause__
        self.problem = (
            write_problem(cause, self.folder / PROJECT_FILE)
            if self.folder and isinstance(cause, OSError)
            else error.problem
        )
        pattern = phrase("The folder's labels cannot be written: {problem} This is tried again.")
        self._tell_once(Title(pattern, problem=str(error)))

    def _tell_once(self, news: Title) -> None:
        if news not in self._told:
            self._told.add(news)
            self._tell(news)

    def _tell(self, news: Title) -> None:
        with self._lock:
            self._news.append(news)


def _read(place: Path) -> Project | None:
    """The project in a file, None if there is none.

    Raises:
        ConverterError: damaged, too large, not to be read, or of a later version.
    """
    if not os.path.lexists(place):
        return None
    if not place.is_file():
        raise ConverterError("this is no file.", path=place) from OSError("not a regular file")
    text = read_text(place, max_bytes=MAX_PROJECT_BYTES)
    return project_of(parse_json(text, path=place), path=place)


def _text_of(project: Project, place: Path) -> str:
    """The file's content.

    Raises:
        ConverterError: there is more of it than would be read again.
    """
    if len(project.labels.names) > MAX_LABELS:
        raise ConverterError(f"a list has at most {MAX_LABELS:,} labels.", path=place)
    text = json_text(plain_project(project), indent=2) + "\n"
    if len(text.encode("utf-8", "backslashreplace")) > MAX_PROJECT_BYTES:
        raise ConverterError(f"the file would be larger than {MAX_PROJECT_BYTES:,} bytes.", path=place)
    return text


def _is_claimed(named: Path) -> bool:
    """Whether a file that is no project stands there with good reason, or will."""
    try:
        with os.scandir(named.parent) as entries:
            names = [named.parent / entry.name for entry in entries]
    except OSError:
        return False
    if any(path.stem.lower() == named.stem and is_picture(path) for path in names):
        return True
    if not named.is_file():
        return False
    try:
        parse_json(read_text(named))
    except ConverterError:
        return False  # damaged, perhaps beyond recognition
    return True


def _by_name(project: Project) -> dict[str, Any]:
    """The project as objects within objects, for merging by key."""
    labels = {label.name: plain_label(label) for label in project.labels}
    return {**project.extra, _LABELS: labels}
