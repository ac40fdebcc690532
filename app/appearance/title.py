"""What a step of the history is called: English, with its translation one call away."""

from __future__ import annotations

from app.appearance.i18n import tr


class Title(str):
    """An English text that remembers its pattern, so that the window can say it in any language.

    `Title("Add {label}", label="person")` equals "Add person" everywhere a string is expected.

    Attributes:
        pattern: the text with its `{name}` placeholders, the catalogue's key.
        values: what fills the placeholders.
    """

    pattern: str
    values: dict[str, str | int]

    __slots__ = ("pattern", "values")

    def __new__(cls, pattern: str, **values: str | int) -> Title:
        title = super().__new__(cls, pattern.format(**values) if values else pattern)
        title.pattern = pattern
        title.values = values
        return title

    @classmethod
    def of(cls, text: str) -> Title:
        """The title itself, or a plain text as a title without placeholders."""
        return text if isinstance(text, Title) else cls(text)

    def translated(self) -> str:
        """The title in the window's language."""
        return tr(self.pattern, **self.values)

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str | int]]:
        return (self.pattern,), self.values
