"""Small controls the panels share: a titled panel, a slider with its value, a colour button."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, QSortFilterProxyModel, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QIcon, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import color
from app.panels.wheel_controls import Slider

if TYPE_CHECKING:
    from app.editing.limits import Limits


def make_label(text: str, role: str = "") -> PlainLabel:
    """A label in one of the style sheet's roles ("muted", "heading", "title", "value", "error")."""
    label = PlainLabel(text)
    if role:
        label.setProperty("role", role)
    return label


class ElidedLabel(PlainLabel):
    """One line that ends in "…" where there is no room; its tooltip has the whole text."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = self.contentsRect()
        line = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), line)


class NoMatch(PlainLabel):
    """Says that a filter leaves nothing of a list, instead of showing an empty one."""

    def __init__(self, line: QLineEdit, proxy: QSortFilterProxyModel) -> None:
        super().__init__()
        self.setProperty("role", "muted")
        self.setWordWrap(True)
        self._line, self._proxy = line, proxy
        line.textChanged.connect(self.refresh)
        for signal in (proxy.rowsInserted, proxy.rowsRemoved, proxy.modelReset, proxy.layoutChanged):
            signal.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Looks again whether the filter lets anything through."""
        text, source = self._line.text(), self._proxy.sourceModel()
        self.setText(tr("Nothing matches “{wanted}”.", wanted=text))
        self.setVisible(bool(text) and not self._proxy.rowCount() and source.rowCount() > 0)


def elided_name(name: str, shared: int, metrics: QFontMetrics, width: int) -> str:
    """A file name in so much room, cut where it says what its neighbours say, too.

    Args:
        shared: so many letters at its beginning are those of a neighbour.
    """
    if metrics.horizontalAdvance(name) <= width:
        return name
    for begin in range(1, shared + 1):
        if metrics.horizontalAdvance(f"…{name[begin:]}") <= width:
            return f"…{name[begin:]}"
    rest = f"…{name[shared:]}" if shared > 1 else name
    return metrics.elidedText(rest, Qt.TextElideMode.ElideMiddle, width)


def swatch_icon(shade: QColor, size: int = 14) -> QIcon:
    """A filled rounded square with a thin rim that shows on any background."""
    return _make_swatch(shade.name(), size, color("border_strong").name())


@lru_cache(maxsize=256)
def _make_swatch(shade: str, size: int, rim: str) -> QIcon:
    ratio = 2
    pixmap = QPixmap(size * ratio, size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(shade))
    painter.setPen(QPen(QColor(rim), 1))
    painter.drawRoundedRect(QRectF(0.5, 0.5, size - 1, size - 1), 4, 4)
    painter.end()
    swatch = QIcon(pixmap)
    swatch.addPixmap(pixmap, QIcon.Mode.Selected)  # else a style tints it in a selected row
    return swatch


class Section(QWidget):
    """A heading with a column of controls under it."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(8)
        heading = PlainLabel(title)
        heading.setObjectName("panelTitle")
        self.body.addWidget(heading)


class ValueSlider(QWidget):
    """A named slider over what may be set, with the value written beside it.

    Signals:
        changed: the new value, while the user drags.
        released: the user let go; an undoable step may end here.
    """

    changed = Signal(float)
    released = Signal()

    def __init__(
        self,
        title: str,
        limits: Limits,
        *,
        scale: float = 1,
        decimals: int = 2,
        suffix: str = "",
        slider: Slider | None = None,
    ) -> None:
        """`scale`, `decimals` and `suffix` say how a value is written: scale 100 makes 0.4 "40"."""
        super().__init__()
        self._limits, self._scale, self._decimals, self._suffix = limits, scale, decimals, suffix
        self.slider = slider or Slider()
        self.slider.setRange(0, round((limits.maximum - limits.minimum) / limits.step))
        self.slider.setAccessibleName(title)
        self.value_label = make_label("", "value")
        self.value_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.title_label = make_label(title)
        self._top = top = QHBoxLayout()
        top.addWidget(self.title_label)
        top.addStretch(1)
        top.addWidget(self.value_label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.slider)
        self.slider.valueChanged.connect(self._tell)
        self.slider.sliderReleased.connect(self.released)
        self._show_value()

    def add_button(self, button: QWidget) -> None:
        """Puts a small button behind the value; it keeps its size while the panel is laid out anew."""
        button.setMinimumSize(button.sizeHint())
        self._top.addWidget(button)

    def value(self) -> float:
        return self._limits.minimum + self.slider.value() * self._limits.step

    def set_value(self, value: float) -> None:
        """Shows a value without telling anyone."""
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(round((value - self._limits.minimum) / self._limits.step))
        self.slider.blockSignals(blocked)
        self._show_value()

    def show_text(self, text: str) -> None:
        """Writes a text where the value stands."""
        self.value_label.setText(text)

    @Slot()
    def _tell(self) -> None:
        self._show_value()
        self.changed.emit(self.value())

    def _show_value(self) -> None:
        self.value_label.setText(f"{self._scale * self.value():.{self._decimals}f}{self._suffix}")


class MarkedSlider(Slider):
    """A slider with a small mark under its groove, where the suggested value lies."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark: int | None = None

    @property
    def mark(self) -> int | None:
        """The slider position the mark points at, None while there is none."""
        return self._mark

    def set_mark(self, position: int | None) -> None:
        if position != self._mark:
            self._mark = position
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._mark is None:
            return
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        handle = self.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
        )
        span = self.width() - handle.width()
        left = QStyle.sliderPositionFromValue(self.minimum(), self.maximum(), self._mark, span)
        x = left + handle.width() / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("warning"))
        bottom = self.height() - 0.5
        painter.drawPolygon(
            QPolygonF([QPointF(x, bottom - 5), QPointF(x - 4, bottom), QPointF(x + 4, bottom)])
        )


class ColorButton(QToolButton):
    """Shows a colour and lets the user choose another one.

    Signals:
        chosen: "#rrggbb".
    """

    chosen = Signal(str)

    def __init__(self, shade: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shade = shade
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(20, 20))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._ask)
        self.set_color(shade)

    @property
    def shade(self) -> str:
        return self._shade

    def set_color(self, shade: str) -> None:
        """Shows a colour without telling anyone."""
        self._shade = QColor(shade).name()
        self.setIcon(swatch_icon(QColor(shade), 20))
        self.setText(self._shade)

    @Slot()
    def _ask(self) -> None:
        chosen = QColorDialog.getColor(QColor(self._shade), self.window(), tr("Choose a colour"))
        if chosen.isValid():
            self.set_color(chosen.name())
            self.chosen.emit(chosen.name())
