"""Processes killed in the middle of work and of saving lose nothing committed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.document.document import Document
from app.document.journal import journal_file
from app.document.journal_replay import replay
from app.document.recovery import open_document
from app.project.workspace import Workspace
from converters.files.images import write_image
from tests.unit.app.pictures import HEIGHT, WIDTH, instance, picture
from tests.unit.app.random_edits import random_edit

if TYPE_CHECKING:
    from converters.annotation import ImageAnnotation

ROOT = Path(__file__).resolve().parents[4]


EDITOR = """
import random, sys
from pathlib import Path
from app.document.recovery import open_document
from tests.unit.app.pictures import instance, picture
from tests.unit.app.random_edits import random_edit

document = open_document(Path(sys.argv[1]), picture(instance("a")), Path(sys.argv[2]))
chance = random.Random(int(sys.argv[3]))
while True:
    random_edit(document, chance)
    print(document.revision, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("seed", range(3))
def test_kill_dash_nine_in_the_middle_of_work_loses_nothing_committed(photo, folder, seed):
    command = [sys.executable, "-c", EDITOR, str(photo), str(folder), str(seed)]
    committed = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as editor:
        assert editor.stdout is not None
        for line in editor.stdout:
            committed = int(line)
            if committed > 40 + 25 * seed:
                editor.send_signal(signal.SIGKILL)
                break
        committed = max([committed, *(int(line) for line in editor.stdout)])
    assert editor.returncode == -signal.SIGKILL

    # The same work, not killed: the journal must know a state at least as late.
    twin = Document(picture(instance("a")))
    chance = random.Random(seed)
    states: dict[int, ImageAnnotation] = {}
    twin.subscribe(lambda _change: states.setdefault(twin.revision, twin.annotation))
    while twin.revision < committed + 20:
        random_edit(twin, chance)
    found = replay(journal_file(photo, folder).read_bytes()).annotation
    late = [states[revision] for revision in sorted(states) if revision >= committed]
    assert found in late

    document = open_document(photo, picture(instance("a")), folder)
    while document.undo():
        pass
    assert document.annotation == picture(instance("a"))
    document.close()


SAVER = """
import random, sys
from pathlib import Path
from app.document.recovery import open_document
from app.project.workspace import Workspace
from tests.unit.app.random_edits import random_edit

photo, folder = Path(sys.argv[1]), Path(sys.argv[2])
workspace = Workspace(photo)
document = open_document(photo, workspace.load(photo), folder)
chance = random.Random(int(sys.argv[3]))
while True:
    random_edit(document, chance, save=False)
    print(document.revision, flush=True)
    if document.is_modified:
        workspace.write(photo, document.annotation)
        document.mark_saved()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("seed", range(4))
def test_kill_dash_nine_in_the_middle_of_saving_loses_nothing_committed(tmp_path, folder, seed):
    photo = tmp_path / "pictures" / "photo.png"
    photo.parent.mkdir()
    write_image(photo, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    command = [sys.executable, "-c", SAVER, str(photo), str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as saver:
        assert saver.stdout is not None
        for line in saver.stdout:
            if int(line) > 30 + 7 * seed:
                time.sleep(0.001 * seed)
                saver.send_signal(signal.SIGKILL)
                break
        saver.stdout.read()
    assert saver.returncode == -signal.SIGKILL

    found = replay(journal_file(photo, folder).read_bytes()).annotation
    loaded = Workspace(photo).load(photo)  # whole, not torn
    document = open_document(photo, loaded, folder)
    assert document.annotation == found
    assert not document.recovery.changed_outside
    assert document.recovery.lost_lines == 0
    while document.undo():
        pass
    assert document.annotation.instances == ()
    document.close()
