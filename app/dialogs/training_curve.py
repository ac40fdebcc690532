"""The live curves of a training: the loss, and the score on held-out objects when it is measured."""

from __future__ import annotations

from typing import Final

import pyqtgraph
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.appearance.fitting import let_shrink
from app.appearance.i18n import tr
from app.appearance.theme import color

SMOOTHING: Final = 0.9
"""Weight of the past in the running mean that is drawn over the raw losses."""


class TrainingCurve(QWidget):
    """Loss on the left axis, held-out score on the right one, both over the step number.

    This module imports pyqtgraph, so import it only when a training starts.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.smooth: list[float] = []
        self.scores: list[tuple[int, float]] = []
        self._plot = pyqtgraph.PlotWidget(background=color("surface"))
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.showGrid(x=False, y=True, alpha=0.15)
        self._plot.setMinimumHeight(200)
        let_shrink(self._plot)
        item = self._plot.getPlotItem()
        item.setLabel("left", tr("loss"))
        item.setLabel("bottom", tr("step"))
        item.setLabel("right", tr("score on held-out objects"))
        item.showAxis("right")
        self._score_view = pyqtgraph.ViewBox(enableMenu=False)
        self._score_view.setMouseEnabled(x=False, y=False)
        item.scene().addItem(self._score_view)
        item.getAxis("right").linkToView(self._score_view)
        self._score_view.setXLink(item)
        self._score_view.setYRange(0.0, 1.0)
        item.vb.sigResized.connect(self._follow_size)
        for name in ("left", "bottom", "right"):
            axis = item.getAxis(name)
            axis.setPen(color("border_strong"))
            axis.setTextPen(color("muted"))
        faint = color("accent")
        faint.setAlpha(70)
        self._raw_line = self._plot.plot(pen=pyqtgraph.mkPen(faint, width=1))
        self._smooth_line = self._plot.plot(pen=pyqtgraph.mkPen(color("accent"), width=2))
        self._score_line = pyqtgraph.PlotDataItem(
            pen=pyqtgraph.mkPen(color("success"), width=2, style=Qt.PenStyle.DashLine),
            symbol="o",
            symbolSize=7,
            symbolBrush=color("success"),
            symbolPen=None,
        )
        self._score_view.addItem(self._score_line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._plot)

    def add_loss(self, step: int, loss: float) -> None:
        """The mean loss since the last report."""
        self.steps.append(step)
        self.losses.append(loss)
        past = self.smooth[-1] if self.smooth else loss
        self.smooth.append(SMOOTHING * past + (1 - SMOOTHING) * loss)
        self._raw_line.setData(self.steps, self.losses)
        self._smooth_line.setData(self.steps, self.smooth)
        self._plot.setXRange(0, max(10, step), padding=0.03)

    def add_score(self, step: int, score: float) -> None:
        """A score on held-out objects, in [0, 1]."""
        self.scores.append((step, score))
        self._score_line.setData([s for s, _ in self.scores], [v for _, v in self.scores])

    def _follow_size(self) -> None:
        self._score_view.setGeometry(self._plot.getPlotItem().vb.sceneBoundingRect())
