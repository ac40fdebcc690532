from tests.gui.canvas_scene import scene

__all__ = ["scene"]
