"""The seed tool: a click grows a region, τ makes it spread or shrink, Enter keeps it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import QPointF, Qt, Slot
from PySide6.QtGui import QKeySequence

from app.appearance.i18n import phrase, tr
from app.canvas.markers import SEED_REACH, draw_seed
from app.canvas.tool import DROP_KEY, KEEP_KEYS, is_plain, turns_second
from app.document.document import LockedError
from app.editing.limits import TAU
from app.session import SeedState
from app.tools.keeping import Goal, WholeRegion, put
from app.tools.picking import instance_at
from app.tools.region_tool import EXPECTED, EnterLevel, Grow, RegionTool
from converters.annotation import Mask, Seed

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPainter

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.document.change import Change
    from app.session import Session
    from app.workers.failure import Failure
    from converters.annotation import Instance
    from models.segmenter import Encoding

TAU_STEP = 0.02
FINE_STEP = 0.004


class SeedTool(RegionTool):
    """Grows a new object from seeds, or tunes one that was grown before."""

    name: ClassVar[str] = "seed"
    title: ClassVar[str] = phrase("Seed")
    hint: ClassVar[str] = phrase(
        "Click grows an object; right-click or Alt-click takes away. Scroll: τ. Enter keeps, Esc drops. "
        "Shift-click tunes a finished one."
    )
    icon: ClassVar[str] = "mdi6.sprout-outline"
    shortcut: ClassVar[str] = "S"

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._own_edit = False
        self._runner.finished.connect(self._on_finished)
        self._runner.dropped.connect(self._on_late)
        self._runner.failed.connect(self._on_failed)

    def activate(self) -> None:
        session = self.session
        session.encoding_changed.connect(self._on_encoding_changed)
        session.detail_changed.connect(self._on_encoding_changed)
        session.options_changed.connect(self._on_option_changed)
        session.selection_changed.connect(self._on_selection_changed)
        session.document_changed.connect(self._on_document_changed)
        session.document_opened.connect(self._on_document_opened)
        self.view.viewport_changed.connect(self._on_viewport_changed)
        self._on_selection_changed(session.selection)

    def deactivate(self) -> None:
        session = self.session
        session.encoding_changed.disconnect(self._on_encoding_changed)
        session.detail_changed.disconnect(self._on_encoding_changed)
        session.options_changed.disconnect(self._on_option_changed)
        session.selection_changed.disconnect(self._on_selection_changed)
        session.document_changed.disconnect(self._on_document_changed)
        session.document_opened.disconnect(self._on_document_opened)
        self.view.viewport_changed.disconnect(self._on_viewport_changed)
        self.settle()
        self._reset()

    @property
    def is_pending(self) -> bool:
        return bool(self._seeds) and self._editing is None

    def settle(self) -> None:
        if self._editing is not None:
            self._end_tuning()
        elif self.is_pending and self._source() is None:
            self.session.message.emit(tr("The picture had not been read yet: the clicks are dropped."))
            self._reset()
        else:
            super().settle()

    # Pointer and keys

    def pointer_press(self, event: PointerEvent) -> None:
        document = self.session.document
        if document is None or event.double or not (event.left or event.right):
            return
        if event.left and event.shift:
            found = instance_at(self.view, event.x, event.y)
            self.session.select((found.id,) if found is not None else ())
            return
        width, height = self.view.viewport.image_width, self.view.viewport.image_height
        if not (0 <= event.x < width and 0 <= event.y < height):
            return
        positive = event.left and not event.alt
        if self._editing is not None and positive and not event.control:
            self._end_tuning()
            self.session.select(())
        if not positive and not self._seeds:
            self.session.message.emit(tr("Click inside the object first."))
            return
        if self.session.encoding is None:
            self.session.message.emit(tr("The picture is still being read; the region follows."))
        self._set_seeds((*self._seeds, Seed(event.x, event.y, positive)))

    def pointer_move(self, event: PointerEvent) -> None:
        width, height = self.view.viewport.image_width, self.view.viewport.image_height
        inside = 0 <= event.x < width and 0 <= event.y < height
        self._hover = Seed(event.x, event.y) if inside else None
        if self._seeds:
            self._rest.start()
        elif not self._frame.isActive():
            self._frame.start()

    def pointer_leave(self) -> None:
        self._hover = None
        self._rest.stop()
        if not self._seeds:
            self._forget_result()

    def wheel(self, steps: float, modifiers: Qt.KeyboardModifier) -> bool:
        if not self._seeds:
            return False
        if self._result is None:
            return self._encoding() is not None  # on its way; without an encoding there is no τ to turn
        if turns_second(modifiers):
            self.session.step_level(1 if steps > 0 else -1)
            return True
        fine = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        chosen = self.session.options.tau
        tau = self._result.tau if chosen is None else chosen
        wanted = tau - steps * (FINE_STEP if fine else TAU_STEP)  # scrolling up spreads the region
        level, last = self._result.level, len(self._result.level_scores) - 1
        if wanted < TAU.minimum and level < last:
            self._go_to_level(level + 1)
        elif wanted > TAU.maximum and level > 0:
            self._go_to_level(level - 1)
        else:
            self.session.set_option("tau", round(TAU.clamped(wanted), 4))
        return True

    def claims_key(self, event: QKeyEvent) -> bool:
        ends = bool(self._seeds) and is_plain(event, *KEEP_KEYS, DROP_KEY)
        return ends or (self.is_pending and _takes_back(event))

    def key_press(self, event: QKeyEvent) -> bool:
        if self.is_pending and _takes_back(event):
            rest = self._seeds[:-1]
            if any(seed.positive for seed in rest):
                self._set_seeds(rest)
            else:
                self.cancel()
            return True
        return False

    def commit(self) -> None:
        """Keep the region: one undoable step."""
        if self._editing is not None:
            self._end_tuning()
            self.session.select(())
            return
        encoding, document = self._source(), self.session.document
        if not self._seeds or document is None:
            return
        if encoding is None:
            self.session.message.emit(tr("The picture is still being read; the region follows."))
            return
        goal = Goal(document, self.session.options.label, selection=self.session.selection)
        result, request = self._result, self._whole_request(encoding)
        if result is not None and result.is_whole and result.request == request and not result.is_cut:
            self._start_anew()
            self._put(goal, WholeRegion(result, result.mask()))
        else:
            self._submit_whole(encoding, goal)
            self._start_anew(keep_preview=True)

    def _source(self) -> Encoding | None:
        """The encoding that what is shown came from; the session forgets it when another model is chosen."""
        return self._encoding() or (self._result.encoding if self._result is not None else None)

    def cancel(self) -> None:
        tuning = self._editing is not None
        self._reset()
        if tuning:
            self.session.select(())

    # What is being grown

    def _reset(self) -> None:
        self._end_tuning()
        self._start_anew()

    def _start_anew(self, *, keep_preview: bool = False) -> None:
        """Ready for the next object, with the model's own τ and level."""
        self._forget_requests()
        self._replace_seeds(())
        self._result = self._hover = None
        self._set_options(None, None)
        if not keep_preview:
            self.view.preview.clear()
        self.session.set_seed_state(SeedState())

    def _set_seeds(self, seeds: tuple[Seed, ...]) -> None:
        self._replace_seeds(seeds)
        self._changed = True
        self._refresh()

    def _replace_seeds(self, seeds: tuple[Seed, ...]) -> None:
        """Other seeds from now on; of the canvas only the marks that come or go are painted anew."""
        margin = math.ceil(SEED_REACH * self.view.devicePixelRatioF())
        for seed in {*self._seeds} ^ {*seeds}:
            self.view.update_image_box((seed.x, seed.y, seed.x, seed.y), margin)
        self._seeds, self._outdated = seeds, next(self._numbers)

    @Slot(object, object)
    def _on_finished(self, request: Grow | EnterLevel, result: Any) -> None:
        if isinstance(request, EnterLevel):
            if request.result is self._result:
                self.session.set_option("level", request.level)
                self.session.set_option("tau", result)
        elif request.lane in EXPECTED:
            self._keep_expected(result)
        elif request.goal is not None:
            arrived = self._put(request.goal, result)
            self.session.arrivals.end(request.key, arrived=arrived)
        elif self._is_wanted(request.number):
            self._outdated = request.number
            self._show(result)

    @Slot(object, object)
    def _on_late(self, request: Grow | EnterLevel, result: Any) -> None:
        """What passes under the pointer is worth showing although the pointer has moved on."""
        if isinstance(request, Grow) and request.lane == "screen":
            self._on_finished(request, result)

    @Slot(object, object)
    def _on_failed(self, request: Grow | EnterLevel, failure: Failure) -> None:
        if isinstance(request, Grow) and request.lane in EXPECTED:
            return  # nobody asked yet; a click there will tell
        if isinstance(request, Grow) and request.goal is not None:
            self.session.arrivals.end(request.key, arrived=False)
            self._end_preview()
        self.session.failed.emit(failure)

    def _put(self, goal: Goal, region: WholeRegion) -> bool:
        """Bring a region to its goal; whether the document is another one now."""
        revision, made = goal.document.revision, None
        self._own_edit = True
        try:
            made = put(goal, region)
            if goal.instance_id is None:
                self._show_made(goal, made)
            elif self._editing == goal.instance_id:
                self._end_preview()
            else:
                goal.document.end_merge()
        except LockedError:
            self.session.message.emit(tr("The object is locked."))
        finally:
            self._own_edit = False
        return goal.document.revision != revision

    def _show_made(self, goal: Goal, made: Instance | None) -> None:
        if made is None:
            self.session.message.emit(tr("The region is empty: lower τ or click elsewhere."))
        if goal.document is not self.session.document:
            return
        if not self._seeds:
            self._end_preview()
            if made is not None and self.session.selection == goal.selection:
                self.session.select((made.id,))

    def _end_preview(self) -> None:
        """The document shows what the preview did."""
        self.view.preview.clear()
        self.view.annotations.mute(None)

    def _begin_tuning(self, instance: Instance) -> None:
        origin = instance.provenance
        self._replace_seeds(origin.seeds)
        self._editing, self._changed, self._result = instance.id, False, None
        self.view.preview.clear()
        self._set_options(origin.tau, origin.level)
        self.session.set_seed_state(SeedState(origin.seeds, instance.id, origin.tau, None, origin.level))
        self._refresh()

    def _end_tuning(self) -> None:
        if self._editing is None:
            return
        self._forget_requests()
        self._replace_seeds(())
        document, tuned = self.session.document, self._editing
        self._editing, self._result, self._changed = None, None, False
        self._end_preview()
        if document is not None and not self.session.arrivals.expects((document, tuned)):
            document.end_merge()
        self._set_options(None, None)
        self.session.set_seed_state(SeedState())

    # What happens elsewhere

    @Slot(object)
    def _on_encoding_changed(self, _: object) -> None:
        if self.is_pending and self._result is not None and self.session.encoding is None:
            self.settle()  # another model was chosen: the mask is this one's
        self._refresh()

    @Slot(str)
    def _on_option_changed(self, name: str) -> None:
        if self._own_options or name not in ("tau", "level"):
            return
        if self._seeds:
            self._changed = True
            self._refresh()
        else:
            self._show_hover()

    @Slot(tuple)
    def _on_selection_changed(self, selection: tuple[str, ...]) -> None:
        if self._own_edit or (self._editing is not None and selection == (self._editing,)):
            return
        if self._editing is not None:
            self._end_tuning()
        document = self.session.document
        instance = document.annotation.instance(selection[0]) if document and len(selection) == 1 else None
        if instance is None or (self._seeds and self._editing is None):
            return
        origin = instance.provenance
        if instance.locked or not origin.seeds or not isinstance(instance.geometry, Mask):
            return
        if origin.edited:
            self.session.message.emit(tr("This object was corrected by hand; τ would undo that."))
            return
        self._begin_tuning(instance)

    @Slot(object)
    def _on_document_changed(self, change: Change) -> None:
        if self._own_edit or self._editing is None or self._editing not in change.changed:
            return
        # Undone, redone or edited elsewhere: go on from what the object is now.
        editing, key = self._editing, (self.session.document, self._editing)
        self._runner.cancel(key)
        self.session.arrivals.end(key, arrived=False)
        self._end_tuning()
        if editing in self.session.selection:
            self._on_selection_changed((editing,))

    @Slot(object)
    def _on_document_opened(self, _: object) -> None:
        self._reset()

    @Slot(object)
    def _on_viewport_changed(self, _: object) -> None:
        if not self._seeds:
            self._frame.start()
        elif self._editing is None or self._changed:
            self._refresh()

    def paint(self, painter: QPainter) -> None:
        ratio = self.view.devicePixelRatioF()
        for seed in self._seeds:
            x, y = self.view.viewport.to_device(seed.x, seed.y)
            draw_seed(painter, QPointF(x, y), seed.positive, ratio)


def _takes_back(event: QKeyEvent) -> bool:
    """Whether a key means: the last seed was a mistake."""
    return event.key() == Qt.Key.Key_Backspace or event.matches(QKeySequence.StandardKey.Undo)
