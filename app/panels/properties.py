"""What the current tool works with: threshold and level, sizes, recolouring; model and overlay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import phrase, tr
from app.appearance.theme import icon
from app.editing.limits import BRUSH_RADIUS, OVERLAY_OPACITY, SUPERPIXEL_SIZE, TAU
from app.panels.controls import ColorButton, MarkedSlider, Section, ValueSlider, make_label
from app.panels.swatches import Swatches
from app.panels.wheel_controls import ValueList
from app.recolor.palette import PRESETS
from app.recolor.settings import SETTINGS
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.session import SeedState, Session
    from app.workers.requests import ModelChoice

_LEVEL_NAMES: Final[dict[int, tuple[str, ...]]] = {
    1: (phrase("Whole"),),
    2: (phrase("Part"), phrase("Whole")),
    3: (phrase("Small"), phrase("Medium"), phrase("Large")),
}


def _level_names(count: int) -> tuple[str, ...]:
    """What the levels are called, small to large, in English."""
    return _LEVEL_NAMES.get(count, tuple(str(n + 1) for n in range(count)))


def _button_id(level: int | None) -> int:
    """A level's number in the button group, which keeps negative numbers for itself."""
    return 0 if level is None else level + 1


class SeedSection(Section):
    """Threshold τ with the model's own suggestion marked, and the nested levels of a seed."""

    def __init__(self, session: Session) -> None:
        super().__init__(tr("Segmentation"))
        self._session = session
        self.slider = MarkedSlider()
        self.tau = ValueSlider(tr("Threshold τ"), TAU, slider=self.slider)
        self.tau.setToolTip(tr("Higher: a smaller region. The mark shows what the model suggests."))
        self.suggested = QToolButton()
        self.suggested.setIcon(icon("mdi6.restore"))
        self.suggested.setIconSize(QSize(16, 16))
        self.suggested.setToolTip(tr("Use the suggested τ"))
        self.suggested.setAccessibleName(tr("Use the suggested τ"))
        self.suggested.clicked.connect(self._use_suggested)
        self.tau.add_button(self.suggested)
        self.levels = QWidget()
        self._level_row = QHBoxLayout(self.levels)
        self._level_row.setContentsMargins(0, 0, 0, 0)
        self._level_row.setSpacing(4)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self._choose_level)
        self._best_level = self._level_button(None)
        self._best_level.setToolTip(tr("The level the model trusts most"))
        self._shown_scores: tuple[float, ...] | None = None
        self.body.addWidget(self.tau)
        self.body.addWidget(make_label(tr("Level")))
        self.body.addWidget(self.levels)
        self.tau.changed.connect(self._set_tau)
        self.tau.released.connect(self._end_merge)
        session.seed_state_changed.connect(self.refresh)
        session.options_changed.connect(self.refresh)
        session.document_opened.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Shows the session's seed state, or the options for the next seed."""
        state, options = self._session.seed_state, self._session.options
        value = options.tau if options.tau is not None else state.tau
        self.tau.set_value(value if value is not None else TAU.default)
        if value is None:
            self.tau.show_text(tr("suggested"))
        suggested = state.suggested_tau
        self.slider.set_mark(None if suggested is None else round((suggested - TAU.minimum) / TAU.step))
        self.suggested.setEnabled(options.tau is not None)
        self._show_levels(state)

    def _show_levels(self, state: SeedState) -> None:
        scores = state.level_scores
        if scores != self._shown_scores:
            self._shown_scores = scores
            names = _level_names(len(scores))
            for number, score in enumerate(scores):
                button = self._level_button(number)
                button.setText(f"{tr(names[number])}\n{100 * score:.0f} %")
                button.setToolTip(tr("Predicted quality: {percent} %", percent=round(100 * score)))
            for button in self._group.buttons():
                button.setVisible(self._group.id(button) <= len(scores))
        wanted = self._session.options.level
        chosen = self._group.button(_button_id(wanted))
        if chosen is not None:
            chosen.setChecked(True)
        text = tr("Best")
        if scores and state.level is not None and wanted is None:
            text += f"\n{tr(_level_names(len(scores))[state.level])}"
        elif scores:
            text += "\n "
        self._best_level.setText(text)

    def _level_button(self, level: int | None) -> QAbstractButton:
        """The button that chooses a level, or the best of them; made when it is first needed."""
        known = self._group.button(_button_id(level))
        if known is not None:
            return known
        button = QPushButton()
        button.setProperty("role", "level")
        button.setCheckable(True)
        self._group.addButton(button, _button_id(level))
        self._level_row.addWidget(button, 1)
        return button

    @Slot(float)
    def _set_tau(self, value: float) -> None:
        self._session.set_option("tau", value)

    @Slot()
    def _use_suggested(self) -> None:
        self._session.set_option("tau", None)

    @Slot(int)
    def _choose_level(self, number: int) -> None:
        self._session.set_option("level", None if number == _button_id(None) else number - 1)

    @Slot()
    def _end_merge(self) -> None:
        if self._session.document is not None:
            self._session.document.end_merge()


class BrushSection(Section):
    """How wide the brush and the eraser are."""

    def __init__(self, session: Session) -> None:
        super().__init__(tr("Brush"))
        self._session = session
        self.diameter = ValueSlider(tr("Size"), BRUSH_RADIUS, scale=2, decimals=0, suffix=" px")
        self.diameter.setToolTip(tr("Diameter in picture pixels; the keys [ and ] change it too"))
        self.diameter.changed.connect(self._set_size)
        self.body.addWidget(self.diameter)
        session.options_changed.connect(self._refresh)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        self.diameter.set_value(self._session.options.brush_radius)
        self.diameter.show_text(f"{2 * self._session.options.brush_radius:.0f} px")

    @Slot(float)
    def _set_size(self, radius: float) -> None:
        self._session.set_option("brush_radius", radius)


class SuperpixelSection(Section):
    """How large the superpixels are."""

    def __init__(self, session: Session) -> None:
        super().__init__(tr("Superpixels"))
        self._session = session
        self.width_slider = ValueSlider(tr("Size"), SUPERPIXEL_SIZE, decimals=0, suffix=" px")
        self.width_slider.setToolTip(
            tr("About how wide one is, in picture pixels; the keys [ and ] change it too")
        )
        self.width_slider.changed.connect(self._set_size)
        self.body.addWidget(self.width_slider)
        session.options_changed.connect(self._refresh)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        self.width_slider.set_value(self._session.options.superpixel_size)

    @Slot(float)
    def _set_size(self, size: float) -> None:
        self._session.set_option("superpixel_size", size)


class RecolorSection(Section):
    """The colour to give and the engine's sliders; the tool applies them to the selected objects too."""

    def __init__(self, session: Session) -> None:
        super().__init__(tr("Recolour"))
        self._session = session
        self.color = ColorButton(session.options.color)
        self.color.chosen.connect(self._set_color)
        self.body.addWidget(self.color)
        self.presets, self.recent = Swatches(), Swatches()
        self.presets.show_colors([(swatch.color, swatch.name) for swatch in PRESETS])
        self.recent_title = make_label(tr("Used last"), "muted")
        for swatches in (self.presets, self.recent):
            swatches.picked.connect(self._set_color)
        self.body.addWidget(self.presets)
        self.body.addWidget(self.recent_title)
        self.body.addWidget(self.recent)
        self.sliders: dict[str, ValueSlider] = {}
        for setting in SETTINGS:
            slider = ValueSlider(tr(setting.title), setting.limits)
            slider.setToolTip(tr(setting.hint))
            slider.slider.setObjectName(setting.name)
            slider.changed.connect(self._set_setting)
            slider.released.connect(self._end_merge)
            self.sliders[setting.name] = slider
            self.body.addWidget(slider)
        self.reset = QPushButton(tr("Reset the sliders"))
        self.reset.setProperty("role", "link")
        self.reset.clicked.connect(self._reset)
        self.body.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignLeft)
        session.options_changed.connect(self._refresh)
        session.selection_changed.connect(self._load_from_selection)
        session.recent_colors_changed.connect(self._show_recent)
        self._refresh()
        self._show_recent()

    @Slot()
    def _refresh(self) -> None:
        options = self._session.options
        self.color.set_color(options.color)
        for setting in SETTINGS:
            value = options.recolor_settings.get(setting.name, setting.limits.default)
            self.sliders[setting.name].set_value(value)

    @Slot()
    def _load_from_selection(self) -> None:
        """A single recoloured object brings its own colour and sliders."""
        if self._session.tool != "recolor" or len(self._session.selection) != 1:
            return
        selected = self._session.selected_instances()
        if not selected or selected[0].recolor is None:
            return
        operation = selected[0].recolor
        # Both at once: the recolour tool follows every option and would see a mixture in between.
        blocked = self._session.blockSignals(True)
        self._session.set_option("color", operation.color)
        self._session.set_option("recolor_settings", operation.settings)
        self._session.blockSignals(blocked)
        self._session.options_changed.emit("color")

    @Slot(str)
    def _set_color(self, shade: str) -> None:
        self._session.set_option("color", shade)
        self._end_merge()

    @Slot()
    def _show_recent(self) -> None:
        recent = self._session.recent_colors
        self.recent.show_colors([(shade, "") for shade in recent])
        self.recent_title.setVisible(bool(recent))

    @Slot()
    def _set_setting(self) -> None:
        defaults = {setting.name: setting.limits.default for setting in SETTINGS}
        values = {name: round(slider.value(), 4) for name, slider in self.sliders.items()}
        chosen = {name: value for name, value in values.items() if abs(value - defaults[name]) > 1e-6}
        self._session.set_option("recolor_settings", FrozenMap(chosen))

    @Slot()
    def _reset(self) -> None:
        self._session.set_option("recolor_settings", FrozenMap())
        self._end_merge()

    @Slot()
    def _end_merge(self) -> None:
        if self._session.document is not None:
            self._session.document.end_merge()


class ViewSection(Section):
    """The model in use and how strongly masks cover the picture.

    Signals:
        model_chosen: the version of a model of the list.
    """

    model_chosen = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__(tr("Model and view"))
        self._session = session
        self.models = ValueList()
        self.models.setAccessibleName(tr("Model"))
        self.models.activated.connect(self._choose)
        self.opacity = ValueSlider(tr("Overlay opacity"), OVERLAY_OPACITY, scale=100, decimals=0, suffix=" %")
        self.opacity.changed.connect(self._set_opacity)
        self.body.addWidget(self.models)
        self.body.addWidget(self.opacity)
        self.show_models(())
        session.options_changed.connect(self._refresh)
        self._refresh()

    @Slot(object)
    def show_models(self, choices: Sequence[ModelChoice]) -> None:
        """Fills the list; while no model is known yet it says so."""
        self.models.clear()
        self.models.setEnabled(bool(choices))
        if not choices:
            self.models.addItem(tr("Loading the model…"))
        for choice in choices:
            self.models.addItem(choice.title, choice.version)
            if choice.active:
                self.models.setCurrentIndex(self.models.count() - 1)

    @Slot()
    def _refresh(self) -> None:
        self.opacity.set_value(self._session.options.overlay_opacity)

    @Slot(float)
    def _set_opacity(self, opacity: float) -> None:
        self._session.set_option("overlay_opacity", round(opacity, 2))

    @Slot(int)
    def _choose(self, row: int) -> None:
        self.model_chosen.emit(str(self.models.itemData(row)))


class PropertiesPanel(QScrollArea):
    """The sections that matter to the current tool, in one scrolling column."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.seed = SeedSection(session)
        self.brush = BrushSection(session)
        self.superpixels = SuperpixelSection(session)
        self.recolor = RecolorSection(session)
        self.view = ViewSection(session)
        column = QWidget()
        column.setObjectName("scrolled")
        layout = QVBoxLayout(column)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(12)
        for section in (self.seed, self.brush, self.superpixels, self.recolor, self.view):
            layout.addWidget(section)
        layout.addStretch(1)
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        session.tool_changed.connect(self._show_sections)
        self._show_sections()

    @Slot()
    def _show_sections(self) -> None:
        tool = self._session.tool
        self.brush.setVisible(tool in ("brush", "eraser"))
        self.superpixels.setVisible(tool == "superpixel")
        self.recolor.setVisible(tool == "recolor")
        self.seed.setVisible(tool == "seed")
