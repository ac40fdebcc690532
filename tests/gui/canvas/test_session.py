from __future__ import annotations

import numpy as np
import pytest

from app.document.document import Document
from app.pixels.base_image import prepare_image
from app.project.labels import LABEL_COLORS
from app.session import Session
from converters.annotation import ImageAnnotation, Seed
from tests.gui.canvas_scene import box_mask, instance, picture
from tests.gui.color_encoding import ColorEncoding


@pytest.fixture
def session(qapp):
    return Session()


def opened(session, *instances):
    document = Document(ImageAnnotation("a.png", 200, 300, tuple(instances)))
    session.open_document(document, prepare_image(picture()))
    return document


def test_opening_tells_the_image_before_the_document(session):
    told = []
    session.image_changed.connect(lambda image: told.append(("image", image)))
    session.document_opened.connect(lambda document: told.append(("document", document)))
    document = opened(session)
    assert told == [("image", session.image), ("document", document)]
    session.open_document(None, None)
    assert (session.document, session.image) == (None, None)


def test_changes_of_the_open_document_are_forwarded_and_of_no_other(session):
    first = opened(session)
    told = []
    session.document_changed.connect(told.append)
    change = first.add(instance("a", box_mask(0, 0, 5, 5)))
    assert told == [change]
    opened(session)
    first.add(instance("b", box_mask(0, 0, 5, 5)))
    assert told == [change]


def test_removed_objects_leave_the_selection_and_the_hidden_set(session):
    document = opened(session, instance("a", box_mask(0, 0, 5, 5)), instance("b", box_mask(9, 9, 15, 15)))
    session.select(("a", "b", "a"))
    session.set_hidden({"a", "b"})
    assert [i.id for i in session.selected_instances()] == ["a", "b"]
    document.remove(["a"])
    assert session.selection == ("b",)
    assert session.hidden == {"b"}


def test_options_are_checked_and_told_once(session):
    told = []
    session.options_changed.connect(told.append)
    session.label_changed.connect(told.append)
    session.set_option("tau", 0.4)
    session.set_option("tau", 0.4)
    session.set_option("label", "cat")
    assert told == ["tau", "label", "cat"]
    assert session.options.label == "cat"
    with pytest.raises(ValueError, match="no tool option 'size'"):
        session.set_option("size", 3)


def test_label_colours_are_steady_and_apart(session):
    labels = [f"label {number}" for number in range(len(LABEL_COLORS))]
    colors = [session.color_of(label).name() for label in labels]
    assert len(set(colors)) == len(LABEL_COLORS)
    assert [session.color_of(label).name() for label in labels] == colors
    assert session.color_of("one too many").isValid()
    assert Session().color_of(labels[0]).name() == colors[0]


def test_the_sharp_part_answers_for_seeds_on_it(session):
    opened(session)
    image = np.ascontiguousarray(picture())
    whole, part = ColorEncoding(image), ColorEncoding(image, (0, 0, 100, 100))
    session.set_encoding(whole)
    session.set_detail(part)
    assert session.encoding_for([Seed(10, 10)]) is part
    assert session.encoding_for([Seed(10, 10), Seed(150, 10)]) is whole
    session.set_encoding(None)
    assert session.detail is None
