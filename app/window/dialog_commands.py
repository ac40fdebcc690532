"""The commands that open a dialog of the main window.

Each dialog's module is imported when it is first asked for: the window starts sooner without them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainMessageBox
from converters.files.images import IMAGE_SUFFIXES
from converters.files.names import fitting_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.dialogs.checks import ChecksDialog
    from app.dialogs.notification_centre import NotificationDialog
    from app.dialogs.shortcuts import ShortcutRow
    from app.dialogs.train import TrainDialog
    from app.pixels.viewport import Region
    from app.services.window_services import WindowServices

EXPORT_FOLDER = "recoloured"
EXPORT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


class WindowDialogs(QObject):
    """Opens dialogs and hands what they answer to the services; each command is one slot."""

    def __init__(
        self,
        services: WindowServices,
        window: QWidget,
        *,
        show_region: Callable[[Region], None],
        list_shortcuts: Callable[[], Sequence[ShortcutRow]],
    ) -> None:
        """`show_region` brings a box of the picture into view; `list_shortcuts` tells all commands."""
        super().__init__(window)
        self._window = window
        self._services = services
        self._show_region = show_region
        self._list_shortcuts = list_shortcuts
        self._notifications: NotificationDialog | None = None
        self._training: TrainDialog | None = None
        self._checks: ChecksDialog | None = None

    def close_all(self) -> None:
        """Closes the dialogs that do not block the window."""
        for dialog in (self._notifications, self._training, self._checks):
            if dialog is not None:
                dialog.reject()
                dialog.deleteLater()
        self._notifications = self._training = self._checks = None

    def remake(self) -> None:
        """Makes the open ones anew where they are; the language or the theme changed."""
        again: tuple[tuple[Callable[[], QDialog | None], Callable[[], None]], ...] = (
            (lambda: self._notifications, self.notifications),
            (lambda: self._training, self.train),
            (lambda: self._checks, self.check_annotations),
        )
        shown = [(dialog(), dialog, command) for dialog, command in again]
        places = [
            (before.geometry(), dialog, command)
            for before, dialog, command in shown
            if before is not None and before.isVisible()
        ]
        self.close_all()
        for place, dialog, command in places:
            command()
            made = dialog()
            if made is not None:
                made.setGeometry(place)

    @Slot()
    def open_file(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(IMAGE_SUFFIXES))
        names, _ = QFileDialog.getOpenFileNames(
            self._window,
            tr("Open pictures"),
            str(self._services.start_folder()),
            f"{tr('Pictures and annotations')} ({patterns} *.json);;{tr('All files')} (*)",
        )
        if names:
            self._services.pictures.open_paths([Path(name) for name in names])

    @Slot()
    def open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self._window, tr("Open a folder of pictures"), str(self._services.start_folder())
        )
        if name:
            self._services.pictures.open_path(Path(name))

    @Slot()
    def export_picture(self) -> None:
        """Writes a copy of the picture with the recoloured objects; the original stays as it is.

        A folder of its own is proposed, so that copies do not stand among the photographs.
        """
        path = self._services.pictures.current
        if path is None:
            return
        suffix = path.suffix if path.suffix.lower() in EXPORT_SUFFIXES else ".png"
        folder = path.parent / EXPORT_FOLDER
        proposal = folder / fitting_name(path.stem, f"_recoloured{suffix}")
        with suppress(OSError):  # a dialog shows no folder that is not there
            folder.mkdir(exist_ok=True)
        patterns = " ".join(f"*{each}" for each in EXPORT_SUFFIXES)
        name, _ = QFileDialog.getSaveFileName(
            self._window, tr("Export the recoloured picture"), str(proposal), f"{tr('Pictures')} ({patterns})"
        )
        with suppress(OSError):  # it holds something, or it is made again with the picture
            folder.rmdir()
        if not name:
            return
        target = Path(name) if Path(name).suffix.lower() in EXPORT_SUFFIXES else Path(f"{name}{suffix}")
        if target.resolve() == path.resolve():
            box = PlainMessageBox(
                tr("Export the recoloured picture"),
                tr("The original picture is never overwritten. Please choose another name."),
                self._window,
            )
            box.setIcon(QMessageBox.Icon.Warning)
            box.exec()
            box.deleteLater()
            return
        self._services.exporting.export_picture(target, self._services.pictures.folder)

    @Slot()
    def export_annotations(self) -> None:
        from app.dialogs.transfer import ExportDialog

        dialog = ExportDialog(self._services.exporting, self._services.pictures, self._window)
        dialog.exec()
        dialog.deleteLater()

    @Slot()
    def import_annotations(self) -> None:
        from app.dialogs.transfer import ImportDialog

        dialog = ImportDialog(self._services.exporting, self._services.start_folder(), self._window)
        dialog.opened.connect(self._services.pictures.open_path)
        dialog.exec()
        dialog.deleteLater()

    @Slot()
    def notifications(self) -> None:
        from app.dialogs.notification_centre import NotificationDialog

        if self._notifications is None:
            self._notifications = NotificationDialog(self._services.notices, self._window)
        self._notifications.refresh()
        self._services.notices.mark_seen()
        self._notifications.show()
        self._notifications.activateWindow()

    @Slot()
    def shortcuts(self) -> None:
        from app.dialogs.shortcuts import ShortcutsDialog

        dialog = ShortcutsDialog(self._list_shortcuts(), self._services.settings.shortcuts, self._window)
        dialog.keys_changed.connect(self._services.change_keys)
        dialog.exec()
        dialog.deleteLater()

    @Slot()
    def preferences(self) -> None:
        from app.dialogs.preferences import PreferencesDialog

        dialog = PreferencesDialog(self._services.settings, self._window)
        dialog.changed.connect(self._change_setting)
        dialog.exec()
        dialog.deleteLater()

    @Slot(str, bool)
    def _change_setting(self, name: str, on: bool) -> None:
        self._services.change_settings(**{name: on})

    @Slot()
    def about(self) -> None:
        from app.dialogs.about import AboutDialog

        model = self._services.segmentation.model
        dialog = AboutDialog(f"{model.version} ({model.device})" if model is not None else "", self._window)
        dialog.exec()
        dialog.deleteLater()

    @Slot()
    def check_annotations(self) -> None:
        from app.dialogs.checks import ChecksDialog

        if self._checks is not None:
            self._checks.reject()
            self._checks.deleteLater()
        self._checks = ChecksDialog(self._services.session, self._services.pictures, self._window)
        self._checks.shown.connect(self._show_region)
        self._checks.show()

    @Slot()
    def train(self) -> None:
        from app.dialogs.train import TrainDialog

        if self._training is None:
            self._training = TrainDialog(self._services.training, self._window)
            self._training.activate_wanted.connect(self._services.use_trained_model)
        else:
            self._training.reopen()
        self._training.show()
        self._training.activateWindow()

    def may_close(self) -> bool:
        """Writes what there is to write; asks about a running training and about what cannot be written."""
        if self._services.training.is_running and not self._settle_training():
            return False
        self._services.write_everything()
        while self._services.safety.unwritten:
            from app.dialogs.unwritten import Answer, ask_about_unwritten

            answer = ask_about_unwritten(self._services.safety.unwritten, self._window)
            if answer is not Answer.TRY_AGAIN:
                return answer is Answer.QUIT
            self._services.write_everything()
        return True

    def _settle_training(self) -> bool:
        box = PlainMessageBox(
            tr("Training is running"), tr("What shall happen to the running training?"), self._window
        )
        box.setIcon(QMessageBox.Icon.Question)
        keep = box.addButton(tr("Keep the best and quit"), QMessageBox.ButtonRole.AcceptRole)
        later = box.addButton(tr("Quit and go on next time"), QMessageBox.ButtonRole.AcceptRole)
        discard = box.addButton(tr("Discard and quit"), QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton(tr("Go on training"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        clicked = box.clickedButton()
        if clicked is later:
            return True
        if clicked is keep:
            self._services.training.stop_and_keep()
            return True
        if clicked is discard:
            self._services.training.discard()
            return True
        return False
