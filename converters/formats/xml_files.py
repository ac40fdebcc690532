"""XML in and out: parsed without entities (no bombs, no outside files), written without forbidden letters."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from converters.errors import ConverterError
from converters.files.files import json_inside, json_text, read_bytes, shown
from converters.formats.own_facts import KEY
from converters.formats.reading import MAX_COORDINATE

if TYPE_CHECKING:
    from pathlib import Path

MAX_XML_BYTES = 1_000_000_000

# Letters no XML 1.0 document may hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# By these tags the dialects of VOC's `annotation` differ: the MIT's LabelMe has the first ones, RectLabel the
# others, which the MIT's has as well.
MIT_TAGS = frozenset({"pt", "sourceImage", "imagesize"})
OUTLINE_TAGS = frozenset({"polygon", "pixel", "cubic_bezier"})


def read_xml(path: Path | str) -> Element:
    """The root element.

    Raises:
        ConverterError: missing, not XML, cut off, or it defines entities (which could grow without end).
    """
    data = read_bytes(path, max_bytes=MAX_XML_BYTES)
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ConverterError(
            "the XML defines entities; that is not taken from label files.", path=path
        ) from error
    except ParseError as error:
        line, column = error.position
        cut = "no element found" in str(error) or "unclosed token" in str(error)
        problem = "the XML is cut off: its end is missing." if cut else f"this is not valid XML ({error})."
        raise ConverterError(problem, path=path, where=f"line {line}, column {column}") from error
    except (ValueError, LookupError, RecursionError) as error:  # an encoding nobody knows
        raise ConverterError(f"this XML cannot be taken in ({error}).", path=path) from error
    return root


def xml_bytes(root: Element) -> bytes:
    """The document, indented, UTF-8."""
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def add(parent: Element, tag: str, text: Any = None, **attributes: str) -> Element:
    """A new child; letters XML cannot hold are replaced."""
    child = SubElement(parent, tag, {name: xml_letters(value) for name, value in attributes.items()})
    if text is not None:
        child.text = xml_letters(str(text))
    return child


def xml_letters(text: str) -> str:
    """The text with letters XML cannot hold replaced by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def fits_xml(text: str) -> bool:
    """Whether a label comes back from XML as it is (spaces at its ends and line ends would not)."""
    return not _FORBIDDEN.search(text) and text == text.strip() and "\r" not in text and text != ""


def text_of(parent: Element, tag: str, default: str = "") -> str:
    """A child's text, stripped."""
    found = parent.findtext(tag)
    return default if found is None else found.strip()


def number_of(parent: Element, tag: str) -> float:
    """A child's number.

    Raises:
        ConverterError: it is missing or no number of a picture's size.
    """
    return number(parent.findtext(tag), tag)


def number(text: str | None, name: str) -> float:
    """Text as a finite number.

    Raises:
        ConverterError: it is none.
    """
    try:
        value = float(text if text is not None else "")
    except ValueError as error:
        raise ConverterError(f"{name} is {shown(text)}, no number.") from error
    if not math.isfinite(value) or abs(value) > MAX_COORDINATE:
        raise ConverterError(f"{name} is {shown(text)}, no number of a picture's size.")
    return value


def pixels_of(text: str | None) -> int:
    """A picture's height or width; 0 when it is not told."""
    try:
        value = int(float(text or 0))
    except (ValueError, OverflowError):
        return 0
    return value if 0 < value < 1 << 20 else 0


def decimal(value: float) -> str:
    """A number as short as it can be without loss."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def add_facts(parent: Element, facts: dict[str, Any]) -> None:
    """SeedHue's facts as JSON text in an element of their own, which other programs pass over."""
    add(parent, KEY, facts_text(facts))


def facts_text(facts: dict[str, Any]) -> str:
    """JSON in ASCII, because XML cannot hold every letter."""
    return json_text(facts, ascii_only=True)


def facts_in(parent: Element) -> Any:
    """What `add_facts` wrote, or None."""
    return json_inside(parent.findtext(KEY))


def element_dict(element: Element, depth: int = 0) -> dict[str, Any]:
    """An element as plain values, to keep what could not be understood."""
    kept: dict[str, Any] = {
        "tag": element.tag,
        **({"attributes": dict(element.attrib)} if element.attrib else {}),
    }
    if element.text and element.text.strip():
        kept["text"] = element.text.strip()
    if len(element) and depth < 20:
        kept["children"] = [element_dict(child, depth + 1) for child in element]
    return kept
