"""An error always reaches the window, also one that cannot say what it is."""

from __future__ import annotations

from app.workers.task import TaskRunner


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_without_words_is_told(qtbot):
    def work(_request, _should_stop, _on_event):
        raise SpeechlessError

    runner = TaskRunner(work, name="speechless")
    with qtbot.waitSignal(runner.failed) as told:
        runner.submit("anything")
    assert told.args[1].kind == "SpeechlessError"
    assert "SpeechlessError" in told.args[1].title
    qtbot.waitUntil(lambda: runner.is_idle and not runner.is_busy)
    runner.shutdown()
