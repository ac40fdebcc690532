"""Select similar: from one object to all that look like it, in the open picture and in its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.workers.similar import FindSimilar, PictureSearched, SearchPicture, SimilarFound
from converters.annotation import Mask
from converters.shapes.geometry import mask_iou
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.document.document import Document
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.services.segmentation import Segmentation
    from app.session import Session
    from app.workers.failure import Failure
    from converters.annotation import Instance

DUPLICATE_IOU = 0.7
_HERE, _FOLDER = "similar", "similar-folder"


@dataclass(frozen=True, slots=True)
class SimilarObjects:
    """What was found in the open picture.

    Attributes:
        path: the picture.
        label: of the object in question, for those like it.
        found: the worker's answer.
        model: version of the model.
    """

    path: Path
    label: str
    found: SimilarFound
    model: str


@dataclass(slots=True)
class _FolderSearch:
    """How far the folder is: what waits, how many there are in all, what runs and whether it was answered."""

    reference: Any
    waiting: list[Path]
    total: int
    asked: SearchPicture | None = None
    is_answered: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Delivery:
    """Accepted objects on their way into pictures that are not shown."""

    waiting: dict[Path, list[Instance]]
    objects: int = 0
    pictures: int = 0
    problems: list[str] = field(default_factory=list)


class SimilarSearch(QObject):
    """Runs the searches in the inference worker and puts what is accepted into the pictures.

    Signals:
        found: a SimilarObjects.
        picture_searched: (Path, SimilarFinds) of another picture.
        progressed: (searched, total) pictures.
        folder_done: the search of the folder has ended or was stopped.
    """

    found = Signal(object)
    picture_searched = Signal(object, object)
    progressed = Signal(int, int)
    folder_done = Signal()

    def __init__(
        self,
        session: Session,
        segmentation: Segmentation,
        pictures: Pictures,
        saving: Saving,
        notices: NotificationCentre,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._segmentation = segmentation
        self._pictures = pictures
        self._saving = saving
        self._notices = notices
        self._label = ""
        self._search: _FolderSearch | None = None
        self._delivery: _Delivery | None = None
        segmentation.runner.finished.connect(self._take)
        segmentation.runner.failed.connect(self._fail)
        segmentation.runner.ended.connect(self._go_on)
        segmentation.model_ready.connect(self.stop_folder)
        pictures.list_changed.connect(self._forget_list)
        pictures.document_opened.connect(self._deliver)
        pictures.document_failed.connect(self._skip)
        session.image_changed.connect(self._cancel_here)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The pictures that can be searched."""
        return self._pictures.paths

    @property
    def can_start(self) -> bool:
        """Whether there is an object to begin with, perhaps one that is still being grown, and a model to
        ask."""
        state = self._session.seed_state
        is_growing = bool(state.seeds) and state.instance_id is None and state.tau is not None
        return self._session.encoding is not None and (is_growing or bool(self._regions()))

    def _regions(self) -> list[Instance]:
        return [i for i in self._session.selected_instances() if is_region(i.geometry)]

    # The open picture

    @Slot()
    def start(self) -> None:
        """Looks for what is like the selected objects."""
        encoding, chosen = self._session.encoding, self._regions()
        if encoding is None or not chosen:
            return
        self._label = chosen[-1].label
        request = FindSimilar(encoding, tuple(i.geometry for i in chosen))
        self.stop_folder()
        self._segmentation.runner.submit(request, key=_HERE)

    @Slot()
    def _cancel_here(self) -> None:
        self._segmentation.runner.cancel(_HERE)

    # The folder

    def search_folder(self, reference: Any) -> None:
        """Looks through the list's other pictures, beginning behind the open one."""
        paths, here = self._pictures.paths, self._pictures.current
        start = paths.index(here) + 1 if here in paths else 0
        waiting = [path for path in (*paths[start:], *paths[:start]) if path != here]
        self._search = _FolderSearch(reference, waiting, len(waiting))
        self.progressed.emit(0, len(waiting))
        self._next_picture()

    @Slot()
    def stop_folder(self) -> None:
        """Leaves the pictures that have not been searched."""
        if self._search is None:
            return
        problems, self._search = self._search.problems, None
        self._segmentation.runner.cancel(_FOLDER)
        if problems:
            self._notices.post(
                "warning",
                tr("Pictures that could not be searched: {count}", count=len(problems)),
                details="\n".join(problems),
            )
        self.folder_done.emit()

    def _next_picture(self) -> None:
        search = self._search
        if search is None:
            return
        if not search.waiting:
            self.stop_folder()
            return
        search.asked = SearchPicture(search.waiting.pop(0), search.reference, self._segmentation.chosen)
        search.is_answered = False
        self._segmentation.runner.submit(search.asked, key=_FOLDER)

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(request, FindSimilar):
            path, model = self._pictures.current, self._segmentation.model
            if request.encoding is self._session.encoding and path is not None:
                version = model.version if model is not None else ""
                self.found.emit(SimilarObjects(path, self._label, result, version))
        elif isinstance(result, PictureSearched) and self._search is not None:
            self._search.is_answered = True
            if result.problem:
                self._search.problems.append(result.problem)
            self.picture_searched.emit(result.path, result.finds)

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        """One picture costs the others nothing; what happened is told when all have been searched."""
        if self._search is not None and request is self._search.asked and isinstance(request, SearchPicture):
            self._search.is_answered = True
            self._search.problems.append(f"{request.path.name}: {failure.title}\n{failure.details}".strip())

    @Slot(object)
    def _go_on(self, request: object) -> None:
        """A picture is done, however that went; without an answer, as another model is in use, all are."""
        search = self._search
        if search is None or request is not search.asked:
            return
        if not search.is_answered:
            self.stop_folder()
            return
        self.progressed.emit(search.total - len(search.waiting), search.total)
        self._next_picture()

    # Acceptance

    def add(self, chosen: Mapping[Path, Sequence[Instance]]) -> None:
        """Puts objects into pictures of the list, one undoable step in each; autosave follows."""
        here = self._pictures.current
        if self._delivery is None:
            self._delivery = _Delivery({})
        for path, instances in chosen.items():
            if path == here and self._session.document is not None:
                self._put(self._session.document, instances)
            elif instances:
                self._delivery.waiting.setdefault(path, []).extend(instances)
        self._deliver_next()

    def _deliver_next(self) -> None:
        delivery = self._delivery
        if delivery is None:
            return
        if delivery.waiting:
            self._pictures.ask_document(next(iter(delivery.waiting)))
            return
        self._delivery = None
        if delivery.pictures:
            self._session.message.emit(
                tr(
                    "Objects added to other pictures: {count} in {pictures}",
                    count=delivery.objects,
                    pictures=delivery.pictures,
                )
            )
        if delivery.problems:
            self._notices.post(
                "warning",
                tr("Pictures that nothing was added to: {count}", count=len(delivery.problems)),
                details="\n".join(delivery.problems),
            )

    @Slot(object, object)
    def _deliver(self, path: Path, document: Document) -> None:
        instances = self._delivery.waiting.pop(path, None) if self._delivery is not None else None
        if self._delivery is None or instances is None:
            return
        added = self._put(document, without_duplicates(instances, document.annotation.instances))
        if document is not self._session.document and added:
            self._pictures.note_edit(document)
            self._saving.follow_edit_of(document)
        self._pictures.drop_old_documents()
        self._delivery.objects += added
        self._delivery.pictures += bool(added)
        self._deliver_next()

    @Slot(object, object)
    def _skip(self, path: Path, failure: Failure) -> None:
        if self._delivery is not None and self._delivery.waiting.pop(path, None) is not None:
            self._delivery.problems.append(f"{path.name}: {failure.title}")
            self._deliver_next()

    @staticmethod
    def _put(document: Document, instances: Sequence[Instance]) -> int:
        if instances:
            document.add(*instances, title=Title(phrase("Add {count} similar objects"), count=len(instances)))
        return len(instances)

    @Slot()
    def _forget_list(self) -> None:
        """Another folder is open."""
        self.stop_folder()
        self._delivery = None


def without_duplicates(instances: Sequence[Instance], present: Sequence[Instance]) -> list[Instance]:
    """Those that no present object covers almost exactly."""
    return [instance for instance in instances if not is_annotated(instance.geometry, present)]


def is_annotated(geometry: object, present: Sequence[Instance]) -> bool:
    """Whether a present object has nearly the same mask."""
    if not isinstance(geometry, Mask):
        return False
    others = (i.geometry for i in present if isinstance(i.geometry, Mask))
    return any(_touch(geometry, other) and mask_iou(geometry, other) >= DUPLICATE_IOU for other in others)


def _touch(a: Mask, b: Mask) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
