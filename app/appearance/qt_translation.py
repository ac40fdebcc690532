"""Qt's own words, the buttons of its dialogs above all, in the language of the window."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from app.appearance.i18n import current_language

_NAME: Final = "words of Qt"


def translate_qt(application: QCoreApplication) -> None:
    """Puts Qt's words in the current language in the place of those of an earlier one.

    English needs no file: it is what Qt's sources say.
    """
    for old in application.findChildren(QTranslator, _NAME):
        application.removeTranslator(old)
        old.setParent(None)
        old.deleteLater()
    translator = QTranslator(application)
    translator.setObjectName(_NAME)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if current_language() != "en" and translator.load(QLocale(current_language()), "qtbase", "_", folder):
        application.installTranslator(translator)
    else:
        translator.deleteLater()
