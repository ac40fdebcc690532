"""What is not safe at the moment: told at once, shown until it is safe again, tried again by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.appearance.i18n import tr
from app.appearance.title import Title

if TYPE_CHECKING:
    from app.document.document import Document
    from app.services.labels import Labels
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.session import Session

TRY_AGAIN_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is not as safe as it should be, in the window's language.

    Attributes:
        text: what, in a few words.
        reason: why.
        name: of the picture or folder it is about.
        unwritten: whether there is work that is not where it belongs.
        lost: whether that work would be gone if the program ended now.
    """

    text: str
    reason: str
    name: str
    unwritten: bool = False
    lost: bool = False

    @property
    def details(self) -> str:
        """The whole in one line."""
        return f"{self.text}: {self.reason}" if self.reason else self.text


class Safety(QObject):
    """Derives from documents, journals and failed writes what is not safe.

    While there is anything, it is tried again every few seconds.

    Signals:
        changed: there are other concerns.
    """

    changed = Signal()

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        pictures: Pictures,
        saving: Saving,
        labels: Labels,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._pictures = pictures
        self._saving = saving
        self._labels = labels
        self._told = ""
        self._concerns: tuple[Concern, ...] = ()
        self._timer = QTimer(self)
        self._timer.setInterval(TRY_AGAIN_MS)
        self._timer.timeout.connect(self.try_again)
        session.document_opened.connect(self.refresh)
        pictures.edited.connect(self.refresh)
        pictures.journal_failed.connect(self.refresh)
        saving.written_changed.connect(self.refresh)
        labels.written_changed.connect(self.refresh)

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """What is not safe, the worst first."""
        return self._concerns

    @property
    def unwritten(self) -> tuple[Concern, ...]:
        """Those of the concerns that nobody should quit with unasked."""
        return tuple(concern for concern in self._concerns if concern.unwritten)

    @Slot()
    def refresh(self) -> None:
        """Looks again; a journal that begins to fail is told, and so is that all is well again."""
        documents = self._pictures.documents
        found = [concern for document in documents for concern in self._concerns_of(document)]
        for folder, problem in self._labels.unwritten:
            found.append(
                Concern(
                    tr("The labels of {name} could not be written", name=folder.name),
                    _translated(problem), folder.name, unwritten=True, lost=True,
                )
            )  # fmt: skip
        problem = self._saving.settings_problem
        if problem:
            text = tr("The settings could not be written")
            found.append(Concern(text, problem, tr("Settings"), unwritten=True, lost=True))
        found.sort(key=lambda concern: (not concern.lost, not concern.unwritten))
        self._tell_journals(documents)
        if tuple(found) == self._concerns:
            return
        safe_again = bool(self._concerns) and not found
        self._concerns = tuple(found)
        if found and not self._timer.isActive():
            self._timer.start()
        elif not found:
            self._timer.stop()
        self.changed.emit()
        if safe_again:
            self._notices.post("info", tr("Everything is safe again."))

    @Slot()
    def try_again(self) -> None:
        """Tries to write what could not be written."""
        for document in self._pictures.documents:
            if document.recorder is not None:
                document.recorder.try_again()
        self._saving.try_again()
        self._labels.try_again()
        self.refresh()

    def shutdown(self) -> None:
        """Nothing is tried any more."""
        self._timer.stop()

    def _concerns_of(self, document: Document) -> list[Concern]:
        if document.path is None:
            return []
        name, problem = document.path.name, _translated(document.journal_problem)
        failure = self._saving.problem_of(document)
        if failure or not document.is_kept:
            if document.is_kept:
                text = tr("{name} is only in the recovery journal", name=name)
                return [Concern(text, failure, name, unwritten=True)]
            # While the save is on its way a journal that fails is all there is to say.
            if failure or not self._saving.will_save(document):
                text = tr("{name} is neither saved nor in the recovery journal", name=name)
                reason = "; ".join(dict.fromkeys(each for each in (failure, problem) if each))
                return [Concern(text, reason, name, unwritten=True, lost=True)]
        if problem and (document is self._session.document or document.is_modified):
            return [Concern(tr("{name} has no recovery journal", name=name), problem, name)]
        return []

    def _tell_journals(self, documents: tuple[Document, ...]) -> None:
        """A problem is told once, not for every picture that has it."""
        problem = next((each.journal_problem for each in documents if each.journal_problem), "")
        if problem == self._told:
            return
        self._told = problem
        if problem:
            self._notices.post(
                "warning",
                tr("There is no recovery journal: {problem}.", problem=_translated(problem)),
                remedy=tr("Until it is there again, only what is saved survives a crash."),
            )


def _translated(problem: str) -> str:
    return problem.translated() if isinstance(problem, Title) else problem
