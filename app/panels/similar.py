"""Similar objects for acceptance: a similarity slider, this picture's finds, and those of the folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import tr
from app.editing.limits import SIMILARITY
from app.panels.candidate_list import Candidate, CandidateList
from app.panels.candidates import make_instance
from app.panels.controls import ValueSlider, make_label
from app.services.similar import is_annotated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PySide6.QtGui import QKeyEvent

    from app.canvas.candidate_layer import CandidateLayer
    from app.services.similar import SimilarObjects, SimilarSearch
    from app.session import Session
    from app.workers.similar import SimilarFind
    from converters.annotation import Instance

"""The networks' similarity is such that they believe in it from here on."""
ROW: Final = QSize(120, 26)
PATH_ROLE: Final = int(Qt.ItemDataRole.UserRole)


@dataclass(slots=True, eq=False)
class _Find:
    """Something found, and whether accepting takes it."""

    found: SimilarFind
    score: float
    is_chosen: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a panel made anew goes on with.

    Attributes:
        ticks: of the folder's other pictures, by path.
        progress: pictures searched, and how many there are; None while none is searched.
    """

    asked: SimilarObjects | None
    finds: dict[Path, list[_Find]]
    ticks: dict[Path, Qt.CheckState]
    smallest: float
    in_folder: bool
    progress: tuple[int, int] | None


class SimilarPanel(QWidget):
    """Objects like the one that was asked for, in the open picture and, if wanted, in the others.

    Every picture's finds stay until they are accepted or dismissed, so that one can go and look.

    Signals:
        closed: accepted or dismissed; the panel has nothing to show any more.
        picture_wanted: the Path of a picture to look at.
    """

    closed = Signal()
    picture_wanted = Signal(object)

    def __init__(self, session: Session, search: SimilarSearch, layer: CandidateLayer) -> None:
        super().__init__()
        self._session = session
        self._search = search
        self._layer = layer
        self._asked: SimilarObjects | None = None
        self._finds: dict[Path, list[_Find]] = {}
        self._shown: list[_Find] = []
        self._rows: dict[Path, QListWidgetItem] = {}
        self._total = 0
        self._build()
        self._connect()

    def _build(self) -> None:
        self.slider = ValueSlider(tr("Similarity"), SIMILARITY)
        self.slider.set_value(SIMILARITY.default)
        self.summary = make_label("", "muted")
        self.summary.setWordWrap(True)
        self.list = CandidateList(self._session, tr("Similar objects"))
        self.list.set_smallest(SIMILARITY.default)
        self.folder_box = QCheckBox(tr("Also in the folder's other pictures"))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.stop_button = QPushButton(tr("Stop"))
        self.folder_summary = make_label("", "muted")
        self.folder_summary.setWordWrap(True)
        self.picture_list = QListWidget()
        self.picture_list.setUniformItemSizes(True)
        self.picture_list.setAccessibleName(tr("Pictures with similar objects"))
        self.picture_list.setToolTip(tr("Click a picture to look at its objects."))
        self.folder_part = QWidget()
        self.accept_button = QPushButton()
        self.accept_button.setProperty("role", "primary")
        self.dismiss_button = QPushButton(tr("Dismiss"))
        going = QHBoxLayout()
        going.addWidget(self.progress, 1)
        going.addWidget(self.stop_button)
        folder = QVBoxLayout(self.folder_part)
        folder.setContentsMargins(0, 0, 0, 0)
        folder.setSpacing(8)
        folder.addLayout(going)
        folder.addWidget(self.folder_summary)
        folder.addWidget(self.picture_list, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.accept_button, 1)
        buttons.addWidget(self.dismiss_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.slider)
        column.addWidget(self.summary)
        column.addWidget(self.list, 3)
        column.addWidget(self.folder_box)
        column.addWidget(self.folder_part, 2)
        column.addLayout(buttons)
        for hidden in (self.folder_part, self.progress, self.stop_button):
            hidden.hide()

    def _connect(self) -> None:
        self.slider.changed.connect(self._turn)
        self.list.changed.connect(self._show)
        self.folder_box.toggled.connect(self._search_folder)
        self.stop_button.clicked.connect(self._search.stop_folder)
        self.picture_list.itemChanged.connect(self._show_buttons)
        self.picture_list.itemClicked.connect(self._go_to)
        self.picture_list.itemActivated.connect(self._go_to)
        self.accept_button.clicked.connect(self.accept)
        self.dismiss_button.clicked.connect(self.dismiss)
        self._search.picture_searched.connect(self._take_picture)
        self._search.progressed.connect(self._show_progress)
        self._search.folder_done.connect(self._end_progress)
        self._session.document_opened.connect(self._follow_picture)

    @property
    def is_in_use(self) -> bool:
        """Whether there are finds to decide on."""
        return self._asked is not None

    # What was found

    def show_found(self, asked: SimilarObjects) -> None:
        """Lists the answer to a search, in place of the one before."""
        self._forget()
        self._asked = asked
        self._finds[asked.path] = [_Find(find, find.score) for find in asked.found.finds]
        self.folder_box.setEnabled(len(self._search.paths) > 1)
        self._follow_picture()

    def hand_over(self) -> _Kept:
        ticks = {path: item.checkState() for path, item in self._rows.items()}
        progress = None if self.progress.isHidden() else (self.progress.value(), self._total)
        finds, asked = self._finds, self._asked
        self._finds, self._asked = {}, None  # what is found from now on is not for this panel
        return _Kept(asked, finds, ticks, self.slider.value(), self.folder_box.isChecked(), progress)

    def take_over(self, state: _Kept) -> None:
        self._asked = state.asked
        self.slider.set_value(state.smallest)
        self.list.set_smallest(state.smallest)
        blocked = self.folder_box.blockSignals(True)  # the search goes on as it is
        self.folder_box.setChecked(state.in_folder)
        self.folder_box.blockSignals(blocked)
        self.folder_box.setEnabled(len(self._search.paths) > 1)
        self.folder_part.setVisible(state.in_folder)
        self._finds = state.finds
        for path, tick in state.ticks.items():
            self._list_picture(path, tick)
        if state.progress is not None:
            self._show_progress(*state.progress)
        self._follow_picture()

    def _instance(self, find: _Find) -> Instance:
        asked = self._asked
        assert asked is not None
        return make_instance(find.found, asked.label, asked.model)

    @Slot()
    def _follow_picture(self) -> None:
        """Another picture is shown: its finds, or none."""
        document = self._session.document
        if not self.is_in_use:
            return
        if document is None:
            self.dismiss()
            return
        candidates = []
        self._shown = self._finds.get(document.path, []) if document.path is not None else []
        for find in self._shown:
            instance = self._instance(find)
            known = is_annotated(instance.geometry, document.annotation.instances)
            candidates.append(Candidate(instance, find.score, known, find.is_chosen and not known))
        self.list.show_candidates(candidates)

    def toggle_at(self, x: float, y: float) -> None:
        """Takes in or leaves out the find at a picture point."""
        self.list.toggle_at(x, y)

    def turn(self, steps: float) -> None:
        """Moves the slider by so many hundredths."""
        self.slider.slider.setValue(self.slider.slider.value() + round(steps))

    @Slot(float)
    def _turn(self, similarity: float) -> None:
        self.list.set_smallest(similarity)
        for path in self._rows:
            self._show_row(path)
        self._show_buttons()

    @Slot()
    def _show(self) -> None:
        for find, candidate in zip(self._shown, self.list.candidates, strict=False):
            find.is_chosen = candidate.is_chosen
        self._layer.show(self.list.masks())
        shown, found = len(self.list.shown()), len(self.list.candidates)
        if found:
            text = tr(
                "Similar objects: {shown} of {found}. Click one to leave it out.", shown=shown, found=found
            )
        else:
            text = tr("Nothing similar was found in this picture.")
        self.summary.setText(text)
        self._show_buttons()

    # The folder

    @Slot(bool)
    def _search_folder(self, on: bool) -> None:
        self.folder_part.setVisible(on)
        if on and self._asked is not None:
            self._search.search_folder(self._asked.found.reference)
        elif not on:
            self._search.stop_folder()
            for path in list(self._rows):
                del self._finds[path]
            self._rows.clear()
            self.picture_list.clear()
            self._follow_picture()

    @Slot(object, object)
    def _take_picture(self, path: Path, finds: Sequence[SimilarFind]) -> None:
        if self._asked is None or not finds or path in self._finds:
            return
        self._finds[path] = [_Find(find, find.score) for find in finds]
        self._list_picture(path, Qt.CheckState.Checked)
        document = self._session.document
        if document is not None and document.path == path:
            self._follow_picture()

    def _list_picture(self, path: Path, tick: Qt.CheckState) -> None:
        item = QListWidgetItem()
        item.setData(PATH_ROLE, path)
        item.setSizeHint(ROW)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(tick)
        self._rows[path] = item
        self.picture_list.addItem(item)
        self._show_row(path)
        self._show_buttons()

    def _show_row(self, path: Path) -> None:
        item, count = self._rows[path], len(self._reaching(path))
        item.setText(f"{path.name}   {count}")
        item.setHidden(count == 0)

    def _reaching(self, path: Path) -> list[_Find]:
        least = self.slider.value() - 1e-9
        return [find for find in self._finds.get(path, []) if find.score >= least]

    @Slot(int, int)
    def _show_progress(self, done: int, total: int) -> None:
        self._total = total
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)
        self.progress.show()
        self.stop_button.show()
        self._show_buttons()

    @Slot()
    def _end_progress(self) -> None:
        self.progress.hide()
        self.stop_button.hide()
        self._show_buttons()

    @Slot(QListWidgetItem)
    def _go_to(self, item: QListWidgetItem) -> None:
        """Shows the picture and its finds; a click on the box, which ticks or unticks, does so too."""
        path = item.data(PATH_ROLE)
        document = self._session.document
        if document is None or document.path != path:
            self.picture_wanted.emit(path)

    # Acceptance

    def chosen(self) -> dict[Path, list[Instance]]:
        """What accepting would take, picture by picture."""
        return {
            path: [self._instance(find) for find in self._reaching(path) if find.is_chosen]
            for path in self._counts()
        }

    def _counts(self) -> dict[Path, int]:
        """How many objects accepting would put into each picture, without those that get none."""
        counts = {}
        for path in self._finds:
            item = self._rows.get(path)
            if item is None or item.checkState() == Qt.CheckState.Checked:
                counts[path] = sum(find.is_chosen for find in self._reaching(path))
        return {path: count for path, count in counts.items() if count}

    @Slot()
    def _show_buttons(self) -> None:
        counts = self._counts()
        count = sum(counts.values())
        if len(counts) > 1:
            text = tr("Accept {count} in {pictures} pictures", count=count, pictures=len(counts))
        else:
            text = tr("Accept {count}", count=count)
        self.accept_button.setText(text)
        self.accept_button.setEnabled(bool(count))
        self.folder_summary.setText(
            tr(
                "Searched {done} of {total} pictures; {found} have similar objects.",
                done=self.progress.value(),
                total=self._total,
                found=sum(not item.isHidden() for item in self._rows.values()),
            )
        )

    @Slot()
    def accept(self) -> None:
        """Puts the chosen finds into their pictures, one undoable step in each."""
        chosen = self.chosen()
        self.dismiss()
        if chosen:
            self._search.add(chosen)

    @Slot()
    def dismiss(self) -> None:
        """Forgets all finds and ends the search."""
        if self._asked is not None:
            self._forget()
            self.closed.emit()

    def _forget(self) -> None:
        self._asked = None
        self._search.stop_folder()
        self._finds.clear()
        self._shown = []
        self._rows.clear()
        self.picture_list.clear()
        self.folder_box.setChecked(False)
        self.list.show_candidates(())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        elif event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)
