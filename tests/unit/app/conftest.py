"""A picture, a folder for journals, and documents that are opened and closed in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.document.recovery import open_document
from tests.unit.app.pictures import picture

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from converters.annotation import ImageAnnotation


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo one.jpg"
    path.write_bytes(b"a picture")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def opened(photo: Path, folder: Path):
    """Opens the photo's document; all of them are closed at the end."""
    documents: list[Document] = []

    def open_it(annotation: ImageAnnotation | None = None, **options) -> Document:
        for document in documents:
            document.close()
        documents.append(open_document(photo, annotation or picture(), folder, **options))
        return documents[-1]

    yield open_it
    for document in documents:
        document.close()
