"""The check says which pictures it looked at, offers the folder, and leaves the window alone when closed."""

from __future__ import annotations

from converters.annotation import ImageAnnotation, Instance, Mask
from converters.formats.labelme.document import write_labelme
from tests.gui.window.test_dialogs import disc


def twice(name):
    """A disc drawn twice over another one."""
    return ImageAnnotation(name, 120, 160, (Instance("a", "disc", disc()), Instance("b", "disc", disc())))


def checked(driver):
    driver.trigger("check_annotations")
    dialog = driver.window.dialogs._checks
    wait(driver, dialog)
    return dialog


def wait(driver, dialog):
    driver.wait(lambda: not dialog.runner.is_busy and dialog.verdict.text() != "Checking…")


def test_it_says_that_it_looked_at_the_open_picture_alone(driver, folder):
    write_labelme(folder / "photo1.json", twice("photo1.png"))
    driver.show().open(folder, current=folder / "photo0.png")
    dialog = checked(driver)
    assert dialog.verdict.text() == "Looked at photo0.png alone.\nNothing is wrong here."
    assert dialog.folder_box.text() == "All 3 pictures of the folder"


def test_the_folder_is_looked_at_with_what_is_not_saved_and_what_is_damaged(driver, folder):
    write_labelme(folder / "photo1.json", twice("photo1.png"))
    (folder / "photo2.json").write_text('{"shapes": [', encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    driver.services.saving.set_autosave(False)
    driver.document.add(Instance("one", "", disc()))
    dialog = checked(driver)
    dialog.folder_box.setChecked(True)
    wait(driver, dialog)
    rows = [dialog.list.item(row).text() for row in range(dialog.list.count())]
    assert rows == ["photo0.png: An object has no label.", "photo1.png: disc is there twice."]
    assert dialog.verdict.text().splitlines() == [
        "Annotated pictures looked at: 2; without annotations: 0.",
        "Things to look at: 2",
        "Could not be read: photo2.png",
    ]
    dialog.list.setCurrentRow(1)
    driver.wait_for_picture(folder / "photo1.png")
    assert set(driver.session.selection) == {"a", "b"}
    assert dialog.list.count() == 2


def test_a_closed_check_moves_nothing(driver, folder):
    write_labelme(folder / "photo1.json", twice("photo1.png"))
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "", Mask.from_full([[1, 1], [1, 1]])))
    dialog = checked(driver)
    moved = []
    dialog.shown.connect(moved.append)
    dialog.close()
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    dialog.list.setFocus()
    assert moved == []
    assert driver.session.selection == ()
    assert dialog.list.count() == 0


def test_the_focus_alone_chooses_nothing(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "", disc()))
    dialog = checked(driver)
    moved = []
    dialog.shown.connect(moved.append)
    dialog.activateWindow()
    dialog.list.setFocus()
    driver.bot.wait(1)
    assert moved == []
    dialog.list.setCurrentRow(0)
    assert len(moved) == 1
