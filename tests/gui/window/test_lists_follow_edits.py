"""The lists of objects and labels beside the canvas keep up with every edit."""

from __future__ import annotations

from app.panels.object_model import ID_ROLE, OBJECT
from app.project.labels import Label, LabelList
from converters.annotation import Instance, Polygon


def test_selection_stays_in_step_while_objects_come_and_go(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    shape = Polygon(((10, 10), (50, 10), (30, 50)))
    for number in range(6):
        driver.document.add(Instance(f"n{number}", f"label{number % 2}", shape))
    table = driver.window.docks.panels["objects"].table

    def listed():
        rows = table.selectionModel().selectedRows()
        return {
            driver.window.docks.panels["objects"]
            .model.instance_at(driver.window.docks.panels["objects"].proxy.mapToSource(r).row())
            .id
            for r in rows
        }

    driver.session.select(("n1", "n2", "n5"))
    assert listed() == {"n1", "n2", "n5"}
    driver.document.add(Instance("new", "label0", shape))
    assert driver.session.selection == ("n1", "n2", "n5")
    assert listed() == {"n1", "n2", "n5"}
    driver.document.remove(["n2"])
    assert set(driver.session.selection) == listed() == {"n1", "n5"}
    driver.trigger("lower_object")
    driver.trigger("undo")
    assert listed() == set(driver.session.selection)
    driver.window.docks.panels["objects"].filter.setText("label0")
    assert driver.window.docks.panels["objects"].proxy.rowCount() == 3
    driver.window.docks.panels["objects"].filter.setText("")
    driver.trigger("select_all")
    assert listed() == set(driver.session.selection) == {"n0", "n1", "n3", "n4", "n5", "new"}


def test_labels_are_counted_along_with_every_edit(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    document, labels = driver.document, driver.window.docks.panels["labels"]
    triangle = Polygon(((10, 10), (50, 10), (30, 50)))

    def texts():
        rows = [labels.model.index(row).data().split() for row in range(labels.model.rowCount())]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}

    document.add(*(Instance(f"o{number}", "disc", triangle) for number in range(4)))
    assert texts() == {"disc": 4}
    document.relabel(["o1", "o2"], "cup")
    document.remove(["o0"])
    assert texts() == {"disc": 1, "cup": 2}
    document.undo()
    document.undo()
    assert texts() == {"disc": 4}


def test_the_object_list_follows_every_kind_of_edit(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    document, model = driver.document, driver.window.docks.panels["objects"].model
    triangle = Polygon(((10, 10), (50, 10), (30, 50)))

    def check():
        expected = [instance.id for instance in reversed(document.annotation.instances)]
        assert [model.instance_at(row).id for row in range(model.rowCount())] == expected
        assert [model.row_of(name) for name in expected] == list(range(len(expected)))
        assert driver.window.docks.panels["objects"].proxy.rowCount() == len(expected)

    document.add(*(Instance(f"o{number}", "disc", triangle) for number in range(8)))
    check()
    driver.session.select(("o2", "o5"))
    document.remove(["o3", "o4"])
    check()
    table = driver.window.docks.panels["objects"].table
    chosen = {index.data(ID_ROLE) for index in table.selectionModel().selectedRows(OBJECT)}
    assert chosen == {"o2", "o5"}
    document.remove(["o0", "o6"])
    check()
    document.move(["o1"], 10)
    check()
    document.relabel(["o2"], "cup")
    check()
    while document.can_undo:
        document.undo()
        check()


def test_ten_thousand_labels_cost_what_is_seen_of_them(driver, folder):
    many = LabelList(tuple(Label(f"label {number}") for number in range(10_000)))
    driver.show().open(folder, current=folder / "photo0.png")
    panel, asked = driver.window.docks.panels["labels"], []
    color_of = driver.session.color_of
    driver.session.color_of = lambda label: asked.append(label) or color_of(label)
    driver.session.offer_labels(many)
    driver.bot.wait(1)
    panel.list.repaint()
    driver.session.set_option("label", "label 9999")
    panel.list.repaint()
    assert panel.model.rowCount() >= 10_000
    assert len(set(asked)) < 100
    assert panel.list.currentIndex().data() == "label 9999"
    panel.list.setCurrentIndex(panel.model.index_of("label 5000"))
    assert driver.session.options.label == "label 5000"
    del driver.session.color_of
