from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pixels.viewport import Viewport

VIEW = Viewport(400, 300, 800, 500)


def test_fitted_shows_the_whole_picture_centred():
    fitted = VIEW.fitted()
    assert fitted.visible_region == (0, 0, 400, 300)
    assert fitted.to_device(200, 150) == pytest.approx((400, 250), abs=1)
    assert 300 * fitted.scale <= 500


@given(
    st.floats(0.05, 20),
    st.floats(0, 800),
    st.floats(0, 500),
)
def test_zooming_keeps_the_point_under_the_cursor(factor, x, y):
    before = VIEW.fitted()
    after = before.zoomed(factor, (x, y))
    image = before.to_image(x, y)
    if 0 <= image[0] <= 400 and 0 <= image[1] <= 300:
        assert after.to_device(*image) == pytest.approx((x, y), abs=0.51 + after.scale * 1e-6)


def test_the_picture_cannot_be_lost_out_of_the_window():
    far = VIEW.fitted().panned(100_000, -100_000)
    x0, y0, x1, y1 = far.visible_region
    assert x1 > x0
    assert y1 > y0


def test_the_scale_has_limits():
    assert VIEW.fitted().zoomed(1e9, (0, 0)).scale == 64
    assert VIEW.fitted().zoomed(1e-9, (0, 0)).scale * 400 == pytest.approx(32)


def test_every_device_pixel_samples_the_picture_pixel_under_its_centre():
    view = VIEW.centered(3.7, 200, 150)
    columns = view.columns(0, view.width)
    expected = [min(399, max(0, int(np.floor(view.to_image(x + 0.5, 0)[0])))) for x in range(view.width)]
    assert columns.tolist() == expected


def test_nothing_is_visible_without_a_picture():
    assert Viewport(0, 0, 800, 500).visible_region == (0, 0, 0, 0)


def test_a_picture_box_beside_the_window_has_no_device_pixels():
    view = VIEW.centered(10, 20, 20)
    assert view.device_box((300, 200, 310, 210)) == (0, 0, 0, 0)
