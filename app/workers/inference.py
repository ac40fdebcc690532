"""The segmenter's work off the GUI thread: load a model, encode pictures, find objects by itself.

torch is imported here, by the first request, and nowhere earlier in the window's life.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from app.appearance.i18n import phrase
from app.process.allocator import give_back_memory
from app.process.cores import in_passing_thread, is_training
from app.process.stopping import ShouldStop, Stopped, stopping
from app.workers.requests import (
    EncodeImage,
    FindObjects,
    ListModels,
    LoadModel,
    LookCloser,
    LookedCloser,
    ModelChoice,
    ModelReady,
    Phase,
    Region,
)
from app.workers.similar import FindSimilar, SearchPicture, find_similar, search_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.workers.task import OnEvent

CACHE_BYTES: Final = 192 * 2**20
LEAST_SCORE: Final = 0.1  # of objects that are found; the slider hides more
MOST_OBJECTS: Final = 200


InferenceRequest: TypeAlias = (
    LoadModel | EncodeImage | FindObjects | LookCloser | FindSimilar | SearchPicture | ListModels
)


class EncodingCache:
    """The encodings used last, up to a number of bytes; the newest always stays."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, str, Region | None], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Memory the kept encodings take."""
        return sum(int(encoding.nbytes) for encoding in self._entries.values())

    def get(self, key: tuple[str, str, Region | None]) -> Any | None:
        """The encoding, now the most recently used one, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: tuple[str, str, Region | None], encoding: Any) -> None:
        """Keeps an encoding and drops the ones not used for longest."""
        self._entries[key] = encoding
        self._entries.move_to_end(key)
        while len(self._entries) > 1 and self.nbytes > self._max_bytes:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()


class InferenceEngine:
    """Answers inference requests one at a time; lives in one worker thread.

    Args:
        load: `load_segmenter` of `models`, or a stand-in with its signature; None imports it when
            first needed, because that import brings torch.
        choices: answers a ListModels; a stand-in comes together with `load`.
    """

    def __init__(
        self, load: Any = None, choices: Callable[[ListModels], tuple[ModelChoice, ...]] | None = None
    ) -> None:
        self._load = load
        self._choices = choices or list_models
        self._loaded: LoadModel | None = None
        self._segmenter: Any = None
        self._cache = EncodingCache()

    def __call__(self, request: InferenceRequest, should_stop: ShouldStop, on_event: OnEvent) -> Any:
        """Does the request; the answer is a ModelReady, an encoding, predictions or what was found alike."""
        return in_passing_thread(lambda: self._answer(request, should_stop, on_event))

    def _answer(self, request: InferenceRequest, should_stop: ShouldStop, on_event: OnEvent) -> Any:
        if isinstance(request, LoadModel):
            return self._model_ready(request, on_event)
        if isinstance(request, ListModels):
            on_event(Phase(phrase("Loading the model…")))
            self._load = self._load or _import_models()
            return self._choices(request)
        if isinstance(request, FindObjects):
            on_event(Phase(phrase("Finding objects…")))
            return request.encoding.instances(min_score=LEAST_SCORE, max_count=MOST_OBJECTS)
        if isinstance(request, LookCloser):
            return self._look_closer(request, should_stop, on_event)
        if isinstance(request, FindSimilar):
            on_event(Phase(phrase("Looking for similar objects…")))
            return find_similar(request)
        if isinstance(request, SearchPicture):
            if request.model != self._loaded:  # another model cannot use the description
                raise Stopped
            on_event(Phase(phrase("Looking through the other pictures…")))
            return search_picture(request, self._segmenter, should_stop)
        return self._encode(request, should_stop, on_event)

    def _encode(self, request: EncodeImage, should_stop: ShouldStop, on_event: OnEvent) -> Any:
        self._model_ready(request.model, on_event)
        if should_stop():
            raise Stopped
        key = (request.key, str(self._segmenter.version), request.region)
        known = self._cache.get(key)
        if known is not None:
            return known
        on_event(Phase(phrase("Reading the picture…")))
        with stopping(should_stop):
            encoding = self._segmenter.encode(request.image, region=request.region, should_stop=should_stop)
        self._cache.put(key, encoding)
        if not is_training():  # each of its steps would have to ask for it again
            give_back_memory()  # the pictures before this one have been let go by now
        return encoding

    def _look_closer(self, request: LookCloser, should_stop: ShouldStop, on_event: OnEvent) -> LookedCloser:
        from models.closer_look import joined, parts_of, small_things

        if request.model != self._loaded:  # what another model found cannot be compared
            raise Stopped
        on_event(Phase(phrase("Looking closer…")))
        parts = parts_of(*request.image.shape[:2])
        with stopping(should_stop):
            here = small_things(
                self._segmenter,
                request.image,
                parts[request.parts],
                min_score=LEAST_SCORE,
                max_count=MOST_OBJECTS,
                should_stop=should_stop,
            )
        seen = (*request.seen, *here)
        is_last = request.parts + 1 == len(parts)
        return LookedCloser(seen, joined(request.found, seen, max_count=MOST_OBJECTS) if is_last else None)

    def _model_ready(self, wanted: LoadModel, on_event: OnEvent) -> ModelReady:
        if self._segmenter is None or wanted != self._loaded:
            on_event(Phase(phrase("Loading the model…")))
            self._load = self._load or _import_models()
            self._segmenter = self._load(wanted.name, weights=wanted.weights)
            self._loaded = wanted
            self._cache.clear()
        used = self._segmenter
        return ModelReady(wanted.name, used.version, tuple(used.categories), used.device, used.notice)


def list_models(request: ListModels) -> tuple[ModelChoice, ...]:
    """The shipped models, then the user's own; the active one is marked."""
    from models.networks.registry import ARCHITECTURES
    from models.store import ModelStore

    store = ModelStore(request.store)
    if request.activate:
        store.activate(request.activate)
    elif request.activate == "":
        while store.active().weights is not None:
            store.rollback()
    choices = []
    for stored in store.models():
        if stored.architecture not in ARCHITECTURES:
            continue  # a backbone alone, or a network of a newer SeedHue
        name = ARCHITECTURES[stored.architecture].title
        title = name if stored.weights is None else stored.version
        model = LoadModel(stored.architecture, stored.weights)
        choices.append(ModelChoice(stored.version, title, model, stored.active))
    return tuple(choices)


def _import_models() -> Any:
    from models import load_segmenter

    return load_segmenter
