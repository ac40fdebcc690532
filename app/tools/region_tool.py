"""What the seed tool grows at the moment: asked for off the GUI thread, shown when the answer comes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QTimer, Slot

from app.canvas.tool import Tool
from app.editing.region_answers import (
    RegionRequest,
    RegionResult,
    answer_unless_stopped,
    answer_whole,
    enter_level,
)
from app.session import SeedState
from app.tools.keeping import Goal, WholeRegion
from app.workers.task import OnEvent, TaskRunner
from converters.annotation import Seed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from app.canvas.tool import ToolSurface
    from app.process.stopping import ShouldStop
    from app.session import Session
    from models.segmenter import Encoding

LONGEST_WAIT_MS = 30_000
"""When the window closes, for what was kept."""
FRAME_MS = 16
REST_MS = 16
EXPECTED: Final = ("expect more", "expect less")
"""Lanes of what a click of either sign would give."""
HOVER_OPACITY, REGION_OPACITY = 0.32, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Grow:
    """Grow a region.

    Attributes:
        lane: what it is for: "screen", one of EXPECTED, or "whole" where it goes into a document.
        number: counts the requests.
        around: the encoding of the whole picture, to complete what the border of an encoded part cuts.
        is_wanted: asked in the worker's thread about a `number` for the screen.
        goal: of a whole region.
    """

    lane: str
    number: int
    encoding: Encoding
    request: RegionRequest
    around: Encoding | None = None
    is_wanted: Callable[[int], bool] | None = None
    goal: Goal | None = None

    @property
    def key(self) -> Hashable:
        """A newer request with the same key takes its place."""
        if self.goal is None:
            return self.lane
        return (self.goal.document, self.goal.instance_id or self.number)


@dataclass(frozen=True, slots=True, eq=False)
class EnterLevel:
    """Find the threshold at which another level goes on where a region ends."""

    result: RegionResult
    level: int


def region_job(request: Grow | EnterLevel, should_stop: ShouldStop, _on_event: OnEvent) -> Any:
    """Answers a Grow with a RegionResult or a WholeRegion, an EnterLevel with a threshold."""
    if isinstance(request, EnterLevel):
        return enter_level(request.result, request.level)
    if request.lane in EXPECTED:
        return answer_unless_stopped(request.encoding, request.request, should_stop)
    wanted, number = request.is_wanted, request.number
    if wanted is not None:
        return answer_unless_stopped(request.encoding, request.request, lambda: not wanted(number))
    result = answer_whole(request.encoding, request.around, request.request)
    return WholeRegion(result, result.mask())


class RegionTool(Tool):
    """Seeds and the region they mean, under the pointer or clicked.

    A job for the screen (only what shows, at the screen's resolution) runs for every change; while the
    pointer rests, it is done in advance for a click there of either sign. The whole mask in every pixel is
    computed when it goes into the document.
    """

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._seeds: tuple[Seed, ...] = ()
        self._editing: str | None = None
        self._changed = False
        self._hover: Seed | None = None
        self._result: RegionResult | None = None
        self._expected: tuple[RegionResult, ...] = ()
        self._numbers = count(1)
        self._newest = self._outdated = 0
        self._own_options = False
        self._runner = TaskRunner(region_job, name="regions", parent=self)
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setInterval(FRAME_MS)
        self._frame.timeout.connect(self._show_hover)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._expect_click)

    @property
    def _is_committing(self) -> bool:
        """Whether a region is on its way into the document, its preview still on the screen."""
        return self.session.arrivals.is_expected(self.session.document)

    @property
    def is_busy(self) -> bool:
        """Whether a region is still being computed, for the screen or for a document."""
        waiting = self._frame.isActive() or not self._runner.is_idle
        return self.session.arrivals.is_busy or waiting

    def finish(self) -> None:
        if self.session.arrivals.is_busy:
            self._runner.finish(wait_ms=LONGEST_WAIT_MS)

    def shutdown(self) -> None:
        """What was kept still goes into its document."""
        self._forget_requests()
        self._runner.cancel("level")
        self._runner.shutdown(finish=True, wait_ms=LONGEST_WAIT_MS)

    def _set_options(self, tau: float | None, level: int | None) -> None:
        """Set the sliders without taking it for a wish of the user's."""
        self._own_options = True
        self.session.set_option("tau", tau)
        self.session.set_option("level", level)
        self._own_options = False

    def _encoding(self, seeds: tuple[Seed, ...] | None = None) -> Encoding | None:
        """The encoding to ask: the sharp part if the seeds and most of what shows lie on it."""
        chosen: Encoding | None = self.session.encoding_for(self._seeds if seeds is None else seeds)
        if chosen is None or chosen is self.session.encoding:
            return chosen
        x0, y0, x1, y1 = self.view.visible_region()
        left, top, right, bottom = chosen.region
        shared = max(0, min(x1, right) - max(x0, left)) * max(0, min(y1, bottom) - max(y0, top))
        mostly = shared >= 0.8 * (x1 - x0) * (y1 - y0)
        return chosen if mostly or self.session.encoding is None else self.session.encoding

    def _screen_request(self, encoding: Encoding, seeds: tuple[Seed, ...]) -> RegionRequest | None:
        """What the screen needs: the visible part, never finer than the picture or the screen."""
        shown, (left, top, right, bottom) = self.view.visible_region(), encoding.region
        x0, y0 = max(shown[0], left), max(shown[1], top)
        x1, y1 = min(shown[2], right), min(shown[3], bottom)
        if x0 >= x1 or y0 >= y1:
            return None
        scale = min(1.0, self.view.zoom)
        size = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
        options = self.session.options
        return RegionRequest(seeds, options.tau, options.level, (x0, y0, x1, y1), size)

    def _refresh(self) -> None:
        """Ask for the region on the screen, and for the whole one if a kept object is being tuned."""
        if not self._seeds:
            return
        encoding = self._encoding()
        if encoding is None:
            return
        request = self._screen_request(encoding, self._seeds)
        known = [g for g in (self._result, *self._expected) if g is not None]
        ready = next((g for g in known if g.encoding is encoding and g.request == request), None)
        if ready is not None:
            self._runner.cancel("screen")
            self._newest = next(self._numbers)  # what is still on its way is late
            self._show(ready)
        elif request is not None:
            self._submit(encoding, request)
        document = self.session.document
        if self._editing is not None and self._changed and document is not None:
            self._submit_whole(encoding, Goal(document, self._label(), self._editing))

    def _whole_request(self, encoding: Encoding) -> RegionRequest:
        """What the document needs: everything that was encoded, in every pixel."""
        x0, y0, x1, y1 = encoding.region
        options = self.session.options
        return RegionRequest(self._seeds, options.tau, options.level, (x0, y0, x1, y1), (y1 - y0, x1 - x0))

    def _submit(self, encoding: Encoding, request: RegionRequest) -> None:
        number = self._newest = next(self._numbers)
        job = Grow("screen", number, encoding, request, is_wanted=self._is_wanted)
        self._runner.submit(job, key=job.key)

    def _submit_whole(self, encoding: Encoding, goal: Goal) -> None:
        """Have the region computed in every pixel and brought to its goal, whatever is opened meanwhile."""
        number, request = next(self._numbers), self._whole_request(encoding)
        job = Grow("whole", number, encoding, request, self.session.encoding, goal=goal)
        self.session.arrivals.expect(job.key, goal.document)
        self._runner.submit(job, key=job.key)

    @Slot()
    def _show_hover(self) -> None:
        if self._seeds or self._is_committing:
            return
        encoding = self._encoding((self._hover,)) if self._hover is not None else None
        if encoding is None or self._hover is None:
            self._forget_result()
            return
        request = self._screen_request(encoding, (self._hover,))
        if request is not None:
            self._submit(encoding, request)

    def _is_wanted(self, number: int) -> bool:
        """Whether the answer to a request for the screen is still to be shown.

        While the pointer moves on without a seed, every answer is: where one takes longer than a frame the
        newest would never come.
        """
        passing = not self._seeds and self._newest > 0 and number > self._outdated
        return number == self._newest or passing

    def _forget_requests(self) -> None:
        for lane in ("screen", *EXPECTED):
            self._runner.cancel(lane)
        self._rest.stop()
        self._newest, self._expected = 0, ()
        self._outdated = next(self._numbers)

    @Slot()
    def _expect_click(self) -> None:
        if not self._seeds or self._hover is None or self._is_committing:
            return
        x, y = self._hover.x, self._hover.y
        encoding = self._encoding((*self._seeds, self._hover))
        if encoding is None or any((seed.x, seed.y) == (x, y) for seed in self._seeds):
            return
        for lane, positive in zip(EXPECTED, (True, False), strict=True):
            request = self._screen_request(encoding, (*self._seeds, Seed(x, y, positive)))
            if request is not None:
                job = Grow(lane, next(self._numbers), encoding, request)
                self._runner.submit(job, key=lane, gives_way=True)

    def _keep_expected(self, result: RegionResult) -> None:
        """What a click would give is known; the last of either sign are kept."""
        if self._seeds:
            self._expected = (*self._expected[-1:], result)

    def _forget_result(self) -> None:
        self._newest, self._outdated = 0, next(self._numbers)
        self._result = None
        self.view.preview.clear()

    def _go_to_level(self, level: int) -> None:
        result = self._result
        if result is None or not 0 <= level < len(result.level_scores):
            return
        self._runner.submit(EnterLevel(result, level), key="level")

    def _show(self, result: RegionResult) -> None:
        self._result = result
        tuned = self._editing is not None
        if not tuned or self._changed:
            hovering = not self._seeds
            color = self.session.color_of(self._label())
            self.view.annotations.mute(self._editing)
            self.view.preview.show(
                result.array, result.request.region, color, HOVER_OPACITY if hovering else REGION_OPACITY
            )
        if self._seeds:
            self.session.set_seed_state(
                SeedState(
                    self._seeds,
                    self._editing,
                    result.tau,
                    result.suggested_tau,
                    result.level,
                    result.level_scores,
                )
            )

    def _label(self) -> str:
        document = self.session.document
        tuned = document.annotation.instance(self._editing) if document and self._editing else None
        return tuned.label if tuned is not None else self.session.options.label
