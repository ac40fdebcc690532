"""Session, settings and services of one window, made together and shut down together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal, Slot

from app.appearance.i18n import tr
from app.project.folders import data_dir, journal_dir
from app.project.settings import Settings, SettingsStore
from app.recolor.palette import remember_color
from app.services.busy import Busy
from app.services.exporting import Exporting
from app.services.folder_labels import FolderLabels
from app.services.labels import Labels
from app.services.notifications import NotificationCentre
from app.services.object_commands import ObjectCommands
from app.services.outside import OutsideChanges
from app.services.pictures import Pictures
from app.services.renaming import LabelRenaming
from app.services.safety import Safety
from app.services.saving import Saving
from app.services.segmentation import Segmentation
from app.services.similar import SimilarSearch
from app.services.training import Training
from app.session import Session
from app.workers.failure import describe_failure
from app.workers.samples import FIRST_SAMPLE, sample_folder
from app.workers.saving import SaveSettings
from converters.errors import ConverterError
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.workers.failure import Failure
    from app.workers.inference import InferenceEngine
    from app.workers.task import Work
    from app.workers.training_records import TrainingOutcome

SETTINGS_DELAY_MS: Final = 1500
RECENT_COLORS: Final = 8
_OPTIONS: Final = ("brush_radius", "superpixel_size", "overlay_opacity", "label", "color")


class WindowServices(QObject):
    """Everything behind a window that is not a widget.

    Attributes:
        session: the open picture and the tool options.
        notices: where every error arrives.
        pictures, saving, segmentation, exporting, training: the services with their threads.
        objects: the commands on objects.
        labels: keeps the folder's labels.
        safety: what is not safe at the moment.
        outside: follows other programs' changes.
        folder_labels: which labels are in use, and where.
        renaming: gives labels other names.
        similar: the search for objects like one.
        busy: what any of the services works on.

    Signals:
        keys_changed: the user gave commands other keys.
    """

    keys_changed = Signal()

    def __init__(
        self,
        store: SettingsStore | None = None,
        *,
        engine: InferenceEngine | None = None,
        training_work: Work | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store or SettingsStore()
        self.session = Session(self)
        self.notices = NotificationCentre(self)
        self.pictures = Pictures(self.session, self.notices, journal_dir=journal_dir(), parent=self)
        self.saving = Saving(self.session, self.notices, self.pictures, parent=self)
        self.segmentation = Segmentation(
            self.session, self.notices, store=data_dir() / "models", engine=engine, parent=self
        )
        self.similar = SimilarSearch(
            self.session, self.segmentation, self.pictures, self.saving, self.notices, self
        )
        self.exporting = Exporting(self.session, self.notices, self.saving, parent=self)
        self.training = Training(
            self.pictures,
            self.saving,
            self.notices,
            architecture=self.segmentation.architecture,
            store=data_dir() / "models",
            work=training_work,
            parent=self,
        )
        self.objects = ObjectCommands(self.session, self)
        self.labels = Labels(self.session, self.notices, self.pictures, self.saving, self._store, self)
        self.safety = Safety(self.session, self.notices, self.pictures, self.saving, self.labels, parent=self)
        self.outside = OutsideChanges(self.session, self.notices, self.pictures, self.saving, self)
        self.folder_labels = FolderLabels(self.pictures, self.saving, self)
        self.renaming = LabelRenaming(
            self.session, self.pictures, self.saving, self.folder_labels, self.notices, self
        )
        self._settings_timer = QTimer(self)
        self._settings_timer.setSingleShot(True)
        self._settings_timer.setInterval(SETTINGS_DELAY_MS)
        self._settings_timer.timeout.connect(self._save_settings_soon)
        self._apply_settings()
        self.session.options_changed.connect(self._remember_option)
        self.session.label_kept.connect(self._remember_label)
        self.session.failed.connect(self._report_tool_failure)
        self.pictures.opened.connect(self._remember_recent)
        self.pictures.about_to_leave.connect(self.saving.save_now)
        self.pictures.wait_for(self.saving.runner)
        self.busy = Busy(self)
        for service in (
            self.exporting,
            self.segmentation,
            self.pictures,
            self.session.arrivals,
            self.renaming,
        ):
            self.busy.follow(service)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._store.settings

    def change_settings(self, **values: Any) -> None:
        """Changes settings by name; the file follows a little later."""
        self._store.change(**values)
        self._settings_timer.start()

    def start(self) -> None:
        """What waits for the first paint: the model, old journals, and news about the settings."""
        if self._store.problem:
            self.notices.post("warning", self._store.problem)
        self.segmentation.start()
        self.pictures.prune_journals()
        self.training.look_for_left()

    def write_everything(self) -> None:
        """Writes what there is to write, and waits until it is written or has failed: before quitting."""
        if self._store.is_changed:
            self._settings_timer.stop()
            self._save_settings_soon()
        self.saving.write_all()
        self.safety.try_again()
        self.saving.runner.finish()
        self.safety.refresh()

    def shutdown(self) -> None:
        """Finishes saving, cancels the rest and joins every thread."""
        self.safety.shutdown()
        self.saving.shutdown()
        self.segmentation.shutdown()
        self.exporting.shutdown()
        self.training.shutdown()
        self.folder_labels.shutdown()
        self.pictures.shutdown()
        self._settings_timer.stop()
        self._save_settings()
        self.session.open_document(None, None)

    def start_folder(self) -> Path:
        """Where a file dialog begins."""
        current = self.pictures.current
        if current is not None:
            return current.parent
        for name in self.settings.recent:
            folder = Path(name) if Path(name).is_dir() else Path(name).parent
            if folder.is_dir():
                return folder
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        return Path(pictures) if pictures else Path.home()

    # Commands

    @Slot()
    def open_sample(self) -> None:
        """Opens the sample photos; the loader takes copies of them."""
        self.pictures.open_path(sample_folder() / FIRST_SAMPLE)

    @Slot(bool)
    def include_subfolders(self, on: bool) -> None:
        """Whether folders are opened with those below them; the open one follows at once."""
        self.change_settings(include_subfolders=on)
        self.pictures.set_subfolders(on)

    @Slot()
    def previous_picture(self) -> None:
        self.pictures.step(-1)

    @Slot()
    def next_picture(self) -> None:
        self.pictures.step(1)

    @Slot()
    def save(self) -> None:
        self.saving.save_now(always=True)

    @Slot()
    def auto(self) -> None:
        self.segmentation.find_objects()

    @Slot(bool)
    def look_closer(self, on: bool) -> None:
        """Whether automatic searches look at parts of the picture, too."""
        self.change_settings(look_closer=on)
        self.segmentation.set_closer(on)

    @Slot()
    def select_similar(self) -> None:
        self.similar.start()

    @Slot(object)
    def change_keys(self, keys: Mapping[str, Sequence[str]]) -> None:
        """Keeps the keys that differ from the defaults."""
        self.change_settings(shortcuts=FrozenMap({name: tuple(own) for name, own in keys.items()}))
        self.keys_changed.emit()

    @Slot(object)
    def use_trained_model(self, outcome: TrainingOutcome) -> None:
        """Makes a freshly trained version the one in use."""
        if self.segmentation.choose_version(outcome.version):
            self.notices.post("info", tr("The model {version} is in use now.", version=outcome.version))

    # Settings

    def _apply_settings(self) -> None:
        settings = self.settings
        for name in _OPTIONS:
            self.session.set_option(name, getattr(settings, name))
        self.session.set_recent_colors(settings.recent_colors[:RECENT_COLORS])
        self.saving.set_autosave(settings.autosave)
        self.pictures.set_subfolders(settings.include_subfolders)
        self.segmentation.set_closer(settings.look_closer)

    @Slot(str)
    def _remember_option(self, name: str) -> None:
        if name == "color":
            self._remember_color()
        if name in _OPTIONS:
            self.change_settings(**{name: getattr(self.session.options, name)})

    def _remember_color(self) -> None:
        """Keeps the colour among those used last; one that is there stays in its place."""
        shade, recent = self.session.options.color, self.session.recent_colors
        if shade.lower() not in recent:
            recent = remember_color(recent, shade, limit=RECENT_COLORS)
            self.session.set_recent_colors(recent)
            self.change_settings(recent_colors=recent)

    @Slot(str)
    def _remember_label(self, label: str) -> None:
        """Keeps a label and its colour for other folders."""
        colors = {**self.settings.label_colors, label: self.session.color_of(label).name()}
        labels = tuple(dict.fromkeys((*self.settings.labels, label)))
        self.change_settings(label_colors=FrozenMap(colors), labels=labels)

    @Slot(object)
    def _remember_recent(self, path: Path) -> None:
        self._store.add_recent(path)
        self._settings_timer.start()

    @Slot(object)
    def _report_tool_failure(self, failure: Failure) -> None:
        self.notices.report(failure)

    @Slot()
    def _save_settings_soon(self) -> None:
        self.saving.runner.submit(SaveSettings(self._store), key="settings")

    def _save_settings(self) -> None:
        try:
            self._store.save()
        except ConverterError as error:
            self.notices.report(describe_failure(error))
