"""A network's work on a graphics card, captured as a CUDA graph for each size of its input and replayed.

A small network is about a thousand commands that the card carries out in a few microseconds each; a processor
takes longer to give them, one after the other. A CUDA graph is all of them, given at once
(docs/adr/0017-recorded-commands.md).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

KEPT_SIZES = 8  # of pictures; each keeps its result's memory

Result = TypeVar("Result")
Sizes = tuple[torch.Size, ...]


class GraphReplay(Generic[Result]):
    """A function of tensors whose commands are captured when it is called with sizes for the second time.

    On other devices than CUDA's, and where capture fails, it is called as it is.

    Args:
        run: asks nothing of the device while it works, and gives it the same commands for the same sizes.
        copied: a result of its own, whose memory the next call leaves alone.
    """

    def __init__(self, run: Callable[..., Result], copied: Callable[[Result], Result]) -> None:
        self._run, self._copied = run, copied
        self._known: OrderedDict[Sizes, _CapturedGraph[Result] | None] = OrderedDict()
        self._pool: Any = None
        self._fails = False
        self._lock = Lock()

    def __call__(self, *given: Tensor) -> Result:
        if given[0].device.type != "cuda" or self._fails:
            return self._run(*given)
        with self._lock:  # a graph's memory is that of one call
            graph = self._graph_for(given)
            return self._run(*given) if graph is None else self._copied(graph.replay(given))

    def forget(self) -> None:
        """Give back the card's memory that graphs hold."""
        with self._lock:
            self._known.clear()

    def _graph_for(self, given: tuple[Tensor, ...]) -> _CapturedGraph[Result] | None:
        """None for sizes that are new: many never come again, and capture takes as long as two calls."""
        sizes = tuple(tensor.shape for tensor in given)
        seen, known = sizes in self._known, self._known.get(sizes)
        if seen and known is None:
            known = self._captured(given)
        self._known[sizes] = known
        self._known.move_to_end(sizes)
        if len(self._known) > KEPT_SIZES:
            self._known.popitem(last=False)
        return known

    def _captured(self, given: tuple[Tensor, ...]) -> _CapturedGraph[Result] | None:
        try:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            return _CapturedGraph(self._run, given, self._pool)
        except RuntimeError as error:  # also when memory is short
            logger.warning("The card's commands cannot be recorded, which only costs time: %s", error)
            self._fails = True
            self._known.clear()
            return None


class _CapturedGraph(Generic[Result]):
    """One call. All share what memory their intermediate results take, so they are replayed one by one."""

    def __init__(self, run: Callable[..., Result], given: tuple[Tensor, ...], pool: Any) -> None:
        self._given = tuple(tensor.clone() for tensor in given)
        self._graph = torch.cuda.CUDAGraph()
        device = given[0].device
        stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            run(*self._given)  # what libraries set up for a stream must not be captured
            # A training in another thread goes on; torch.cuda.graph would collect garbage, also the window's.
            self._graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                self._result = run(*self._given)
            finally:
                self._graph.capture_end()
        current.wait_stream(stream)
        torch.cuda.empty_cache()  # what the first of these two calls took

    def replay(self, given: tuple[Tensor, ...]) -> Result:
        """The result for other values; overwritten by the next one's."""
        for held, new in zip(self._given, given, strict=True):
            held.copy_(new)
        self._graph.replay()
        return self._result
