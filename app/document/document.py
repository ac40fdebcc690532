"""One open picture. The state lives here; everything that is shown is derived from it.

A document belongs to one thread (the window's). Its annotation is immutable, so workers may hold
on to any state of it for as long as they like.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.change import Change, describe, is_reshaped
from app.document.diff import AnnotationDiff, difference
from app.document.history import History, Recorder, Recovery, Step
from converters.annotation import ImageAnnotation, Instance, new_instance_id

if TYPE_CHECKING:
    from pathlib import Path


class LockedError(ValueError):
    """An edit would remove or reshape a locked instance.

    Attributes:
        ids: the locked instances in the way.
    """

    def __init__(self, ids: tuple[str, ...]) -> None:
        self.ids = ids
        super().__init__(f"locked: {', '.join(ids)}; unlock before removing or reshaping")


Subscriber = Callable[[Change], None]


class Document:
    """An annotated picture that can be edited, with unlimited undo and redo.

    Attributes:
        path: the picture file.
        recorder: is told of every step before the subscribers are (the journal); may be None.
        recovery: what opening it brought back from an earlier session.
    """

    def __init__(
        self, annotation: ImageAnnotation, *, path: Path | None = None, history: History | None = None
    ) -> None:
        self.path = path
        self.recorder: Recorder | None = None
        self.recovery = Recovery()
        self._annotation = with_unique_ids(annotation)
        self._history = history or History()
        self._revision = 0
        self._merge_key: str | None = None
        self._merge_start = self._annotation  # the state before the step that edits merge into
        self._subscribers: list[Subscriber] = []
        self._undelivered: deque[Change] = deque()
        self._delivering = False

    @property
    def annotation(self) -> ImageAnnotation:
        """The current state; immutable."""
        return self._annotation

    @property
    def history(self) -> History:
        """The steps, to be read; they change through the document only."""
        return self._history

    @property
    def revision(self) -> int:
        """Grows with every change, also with undo: a key for caches."""
        return self._revision

    @property
    def state(self) -> int:
        """The number of the current state; undo comes back to the earlier number."""
        return self._history.state

    @property
    def is_modified(self) -> bool:
        """Whether the current state differs from the saved one."""
        return self._history.state != self._history.saved_state

    @property
    def journal_problem(self) -> str:
        """Why the journal does not hold what happens from now on, a `Title`; empty while it does."""
        return self.recorder.problem if self.recorder is not None else ""

    @property
    def is_kept(self) -> bool:
        """Whether the annotation file or the journal holds the current state."""
        return not self.is_modified or (self.recorder is not None and self.recorder.is_complete)

    def mark_saved(self, state: int | None = None) -> None:
        """Remembers that a state is in the annotation file.

        Args:
            state: its number (`document.state` when a saver thread took the annotation); None: the
                current one. A saver's late answer does not cut a slider drag in two.
        """
        if state is None:
            self.end_merge()
        self._history.saved_state = self.state if state is None else state
        if self.recorder is not None:
            self.recorder.saved(self._history.saved_state)

    def close(self) -> None:
        """Lets go of the subscribers and closes the journal; the annotation stays readable."""
        self._subscribers.clear()
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.close()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Calls back after every change, in order; returns what ends the subscription."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    # Editing

    def edit(self, title: str, annotation: ImageAnnotation, *, merge_key: str | None = None) -> Change:
        """Makes `annotation` the current state, as one undoable step.

        Args:
            title: what the user did, English.
            merge_key: consecutive edits with the same key become one step (a slider drag).

        Returns:
            What changed since the state just before; empty if nothing did (then no step is made).

        Raises:
            LockedError: a locked instance would disappear or change its shape.
            ValueError: two instances share an id, or it is another picture (size, path).
        """
        name = Title.of(title)
        diff = difference(self._annotation, annotation)
        self._refuse_locked(diff)
        if diff.is_empty:
            return Change(name)
        before, self._annotation = self._annotation, annotation
        if merge_key is not None and merge_key == self._merge_key:
            self._merge(name)
        else:
            self._push(name, diff)
            self._merge_key, self._merge_start = merge_key, before
        return self._announce(name, before, diff, "edit")

    def take_over(self, annotation: ImageAnnotation) -> Change:
        """Makes what another program wrote into the annotation file the current and saved state.

        It is one step: what was here is one undo away. Locks are those of this program only.

        Raises:
            ValueError: it is another picture (size).
        """
        known = self._annotation
        annotation = replace(
            with_unique_ids(annotation), image_path=known.image_path, image_data=known.image_data
        )
        title = Title(phrase("Take over changes from outside"))
        diff = difference(known, annotation)
        if not diff.is_empty:
            self._annotation = annotation
            self._push(title, diff)
        self.mark_saved()
        return Change(title) if diff.is_empty else self._announce(title, known, diff, "edit")

    def end_merge(self) -> None:
        """The next edit starts a new step even if its merge key is the same."""
        self._merge_key = None
        self._merge_start = self._annotation

    @property
    def can_undo(self) -> bool:
        return self._history.last is not None

    @property
    def can_redo(self) -> bool:
        return self._history.next is not None

    @property
    def undo_title(self) -> Title | None:
        """What undo would take back."""
        return self._history.last.title if self._history.last else None

    @property
    def redo_title(self) -> Title | None:
        """What redo would do again."""
        return self._history.next.title if self._history.next else None

    def undo(self) -> Change | None:
        """Takes the last step back; None if there is none."""
        step = self._history.undo()
        if step is None:
            return None
        return self._travel(step, step.diff.reversed(), "undo")

    def redo(self) -> Change | None:
        """Does the step last undone again; None if there is none."""
        step = self._history.redo()
        if step is None:
            return None
        return self._travel(step, step.diff, "redo")

    # Conveniences, each one step

    def add(self, *instances: Instance, title: str | None = None) -> Change:
        """Puts instances on top of the others."""
        if title is None:
            one = len(instances) == 1
            title = (
                Title(phrase("Add {label}"), label=instances[0].label)
                if one
                else Title(phrase("Add {count} objects"), count=len(instances))
            )
        return self.edit(title, self._annotation.with_instances(self._annotation.instances + instances))

    def replace(self, *instances: Instance, title: str | None = None, merge_key: str | None = None) -> Change:
        """Exchanges the instances with the same ids for these.

        Raises:
            KeyError: there is no instance with one of the ids.
        """
        if title is None:
            title = self._count_title(
                [i.id for i in instances], phrase("Change {label}"), phrase("Change {count} objects")
            )
        new = {instance.id: instance for instance in instances}
        self._known(new)
        current = self._annotation.instances
        return self.edit(
            title,
            self._annotation.with_instances(tuple(new.get(i.id, i) for i in current)),
            merge_key=merge_key,
        )

    def remove(self, ids: Iterable[str], title: str | None = None) -> Change:
        """Deletes instances.

        Raises:
            KeyError: there is no instance with one of the ids.
        """
        chosen = self._known(ids)
        if title is None:
            title = self._count_title(chosen, phrase("Delete {label}"), phrase("Delete {count} objects"))
        rest = tuple(i for i in self._annotation.instances if i.id not in chosen)
        return self.edit(title, self._annotation.with_instances(rest))

    def relabel(self, ids: Iterable[str], label: str) -> Change:
        """Gives instances another label."""
        title = Title(phrase("Label {label}"), label=label)
        return self._rewrite(ids, title, lambda instance: replace(instance, label=label))

    def set_locked(self, ids: Iterable[str], locked: bool) -> Change:
        """Locks or unlocks instances."""
        title = Title(phrase("Lock") if locked else phrase("Unlock"))
        return self._rewrite(ids, title, lambda instance: replace(instance, locked=locked))

    def move(self, ids: Iterable[str], to_index: int) -> Change:
        """Changes the drawing order: the instances, kept in their order, follow the `to_index`
        lowest of the others (0: below everything; the number of the others or more: on top)."""
        chosen = self._known(ids)
        moving = tuple(i for i in self._annotation.instances if i.id in chosen)
        rest = tuple(i for i in self._annotation.instances if i.id not in chosen)
        place = max(0, min(to_index, len(rest)))
        return self.edit(
            Title(phrase("Change the order")),
            self._annotation.with_instances(rest[:place] + moving + rest[place:]),
        )

    # Inside

    def _push(self, title: Title, diff: AnnotationDiff) -> None:
        step = Step(title, diff, self._history.new_state())
        self._history.push(step)
        if self.recorder is not None:
            self.recorder.applied(step, replaces_last=False)

    def _rewrite(self, ids: Iterable[str], title: Title, new: Callable[[Instance], Instance]) -> Change:
        chosen = self._known(ids)
        instances = tuple(new(i) if i.id in chosen else i for i in self._annotation.instances)
        return self.edit(title, self._annotation.with_instances(instances))

    def _known(self, ids: Iterable[str]) -> frozenset[str]:
        chosen = frozenset(ids)
        missing = chosen - {instance.id for instance in self._annotation.instances}
        if missing:
            raise KeyError(f"no instance {', '.join(sorted(missing))}")
        return chosen

    def _count_title(self, ids: Iterable[str], one: str, many: str) -> Title:
        chosen = list(ids)
        single = self._annotation.instance(chosen[0]) if len(chosen) == 1 else None
        return Title(one, label=single.label) if single else Title(many, count=len(chosen))

    def _refuse_locked(self, diff: AnnotationDiff) -> None:
        staying = {placed.instance.id: placed.instance for placed in diff.added}
        locked = [
            placed.instance.id
            for placed in diff.removed
            if placed.instance.locked
            and (
                placed.instance.id not in staying
                or staying[placed.instance.id].geometry != placed.instance.geometry
            )
        ]
        locked += [r.before.id for r in diff.rewritten if r.before.locked and is_reshaped(r)]
        if locked:
            raise LockedError(tuple(locked))

    def _merge(self, title: Title) -> None:
        """Makes the edit just made a part of the last step."""
        diff = difference(self._merge_start, self._annotation)
        if diff.is_empty:
            self._history.drop_last()
            self.end_merge()
            if self.recorder is not None:
                self.recorder.dropped()
            return
        step = Step(title, diff, self._history.new_state())
        self._history.replace_last(step)
        if self.recorder is not None:
            self.recorder.applied(step, replaces_last=True)

    def _travel(self, step: Step, diff: AnnotationDiff, kind: Literal["undo", "redo"]) -> Change:
        before = self._annotation
        self._annotation = diff.applied_to(before)
        self.end_merge()
        if self.recorder is not None:
            if kind == "undo":
                self.recorder.undone()
            else:
                self.recorder.redone()
        return self._announce(step.title, before, diff, kind)

    def _announce(
        self,
        title: Title,
        before: ImageAnnotation,
        diff: AnnotationDiff,
        kind: Literal["edit", "undo", "redo"],
    ) -> Change:
        self._revision += 1
        change = describe(title, (before, self._annotation), diff, kind=kind)
        self._undelivered.append(change)
        if not self._delivering:
            self._deliver()
        return change

    def _deliver(self) -> None:
        """Tells everybody of every change, in order, even if a subscriber edits in turn or fails."""
        failure: Exception | None = None
        self._delivering = True
        while self._undelivered:
            change = self._undelivered.popleft()
            for callback in tuple(self._subscribers):
                try:
                    callback(change)
                except Exception as error:  # noqa: BLE001  raised below, once all have been told
                    failure = failure or error
        self._delivering = False
        if failure is not None:
            raise failure


def with_unique_ids(annotation: ImageAnnotation) -> ImageAnnotation:
    """The annotation, with a fresh id for every instance that repeats an earlier one's.

    Copied shapes in an annotation file carry the id of their original.
    """
    if len({instance.id for instance in annotation.instances}) == len(annotation.instances):
        return annotation
    seen: set[str] = set()
    instances: list[Instance] = []
    for instance in annotation.instances:
        unique = replace(instance, id=new_instance_id()) if instance.id in seen else instance
        seen.add(unique.id)
        instances.append(unique)
    return annotation.with_instances(tuple(instances))
