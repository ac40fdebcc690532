"""The refiner's frames, what is cut into them and pasted back, and what learns from it."""

import pytest
import torch

from models.seednet.mask_refiner import (
    CLICK_RADIUS,
    MARGIN,
    MIN_FRAME,
    SIDE,
    MaskRefiner,
    click_maps,
    cut_each,
    cut_shared,
    frame_strides,
    mask_frames,
    paste_frames,
)

HEIGHT, WIDTH = 60, 90


def logits_of(*boxes):
    """(1, K, HEIGHT, WIDTH): +5 inside each level's box (x0, y0, x1, y1), -5 outside."""
    maps = torch.full((1, len(boxes), HEIGHT, WIDTH), -5.0)
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        maps[0, k, y0:y1, x0:x1] = 5.0
    return maps


def one_click(x, y, sign=1.0):
    return torch.tensor([[[x, y, sign]]])


def some_refiner(seed=0):
    torch.manual_seed(seed)
    refiner = MaskRefiner(width=12, descriptor=10, levels=3, channels=8)
    torch.nn.init.normal_(refiner.delta.weight)
    return refiner.eval()


def some_detail(channels=8):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(1, channels, -(-HEIGHT // s), -(-WIDTH // s), generator=generator) for s in (1, 2, 4)]


def test_a_frame_holds_the_mask_with_a_margin():
    (frame,) = mask_frames(logits_of((30, 10, 70, 40)), one_click(35.0, 12.0))[0]
    expected = [30 - 40 * MARGIN, 10 - 30 * MARGIN, 70 + 40 * MARGIN, 40 + 30 * MARGIN]
    assert frame.tolist() == pytest.approx(expected)


def test_a_frame_is_never_tiny_and_hardly_leaves_the_picture():
    small, large = mask_frames(logits_of((50, 30, 52, 32), (0, 0, WIDTH, HEIGHT)), one_click(51.0, 31.0))[0]
    assert (small[2] - small[0]).item() == (small[3] - small[1]).item() == MIN_FRAME
    assert large.tolist() == [-1.0, -1.0, WIDTH + 1.0, HEIGHT + 1.0]


def test_a_frame_reaches_positive_clicks_only():
    clicks = torch.tensor([[[35.0, 20.0, 1.0], [80.0, 50.0, 1.0], [2.0, 2.0, -1.0], [1.0, 1.0, 0.0]]])
    (frame,) = mask_frames(logits_of((30, 15, 40, 25)), clicks)[0]
    x0, y0, x1, y1 = frame.tolist()
    assert x1 >= 80.0
    assert y1 >= 50.0
    assert x0 > 2.0
    assert y0 > 2.0


def test_an_empty_mask_is_framed_around_its_click():
    (frame,) = mask_frames(torch.full((1, 1, HEIGHT, WIDTH), -9.0), one_click(40.0, 30.0))[0]
    assert frame.tolist() == [40 - MIN_FRAME / 2, 30 - MIN_FRAME / 2, 40 + MIN_FRAME / 2, 30 + MIN_FRAME / 2]


def test_larger_frames_read_coarser_features():
    sides = torch.tensor([16.0, 48.0, 60.0, 96.0, 192.0, 900.0])
    frames = torch.stack([torch.zeros(6), torch.zeros(6), sides, 0.5 * sides], dim=1)
    assert frame_strides(frames).tolist() == [0, 0, 0, 1, 2, 2]


def test_cutting_and_pasting_give_a_smooth_map_back():
    ys, xs = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    plane = 0.02 * xs - 0.01 * ys
    frames = torch.tensor([[20.0, 10.0, 68.0, 34.0], [5.0, 5.0, 21.0, 21.0]])
    shared = cut_shared(plane[None, None], frames, torch.zeros(len(frames), dtype=torch.int64))
    each = cut_each(plane.expand(2, 1, -1, -1), frames)
    assert torch.allclose(shared, each, atol=1e-5)
    back = paste_frames(shared, frames, HEIGHT, WIDTH)
    for n, (x0, y0, x1, y1) in enumerate(frames.int().tolist()):
        inner = (slice(y0 + 1, y1 - 1), slice(x0 + 1, x1 - 1))
        assert torch.allclose(back[n][inner], plane[inner], atol=2e-3)
        outside = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
        outside[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = False
        assert not back[n][outside].any()


def test_frames_of_several_pictures_read_each_their_own():
    generator = torch.Generator().manual_seed(2)
    maps = torch.randn(3, 2, HEIGHT, WIDTH, generator=generator)
    frames = torch.tensor([[20.0, 10.0, 68.0, 34.0], [-1.0, 5.0, 21.0, 61.0], [0.0, 0.0, 91.0, 60.0]])
    pictures = torch.tensor([0, 0, 2])
    together = cut_shared(maps, frames, pictures)
    for n, picture in enumerate(pictures.tolist()):
        alone = cut_shared(maps[picture : picture + 1], frames[n : n + 1], torch.zeros(1, dtype=torch.int64))
        torch.testing.assert_close(together[n : n + 1], alone, atol=1e-4, rtol=1e-4)


def test_click_maps_show_each_sign_where_it_was_clicked():
    frames = torch.tensor([[0.0, 0.0, float(SIDE), float(SIDE)]])
    clicks = torch.tensor([[[10.5, 20.5, 1.0], [30.5, 5.5, -1.0], [40.5, 40.5, 0.0]]])
    positive, negative = click_maps(clicks, frames)[0]
    assert positive[20, 10].item() == pytest.approx(1.0)
    assert positive[20, 10 + int(CLICK_RADIUS)].item() == pytest.approx(0.6065, abs=1e-3)
    assert negative[5, 30].item() == pytest.approx(1.0)
    assert positive[5, 30] < 1e-3
    assert negative[20, 10] < 1e-3
    assert positive[40, 40] < 1e-3
    assert negative[40, 40] < 1e-3


def test_seeds_are_refined_each_by_itself():
    refiner, detail = some_refiner(), some_detail()
    generator = torch.Generator().manual_seed(2)
    logits = torch.cat([logits_of((3, 4, 9, 9), (2, 2, 40, 30), (0, 0, 90, 60)) for _ in range(3)])
    logits = logits + torch.randn(logits.shape, generator=generator)
    descriptor = torch.randn(3, 10, generator=generator)
    clicks = torch.tensor([[[5.0, 6.0, 1.0]], [[4.0, 5.0, 1.0]], [[8.0, 7.0, 1.0]]])
    together = refiner(logits, descriptor, detail, clicks)
    for s in range(3):
        alone = refiner(logits[s : s + 1], descriptor[s : s + 1], detail, clicks[s : s + 1])
        assert torch.allclose(together.logits[s], alone.logits[0], atol=1e-4)
        assert torch.allclose(together.context[s], alone.context[0], atol=1e-4)
    assert (together.logits != logits).any()


def test_absent_clicks_count_for_nothing_and_given_ones_do():
    refiner, detail = some_refiner(), some_detail()
    logits, descriptor = logits_of((3, 4, 30, 29), (2, 2, 40, 30), (0, 0, 90, 60)), torch.ones(1, 10)
    seed = one_click(12.0, 10.0)
    absent = torch.cat([seed, torch.tensor([[[50.0, 20.0, 0.0]]])], dim=1)
    negative = torch.cat([seed, torch.tensor([[[20.0, 20.0, -1.0]]])], dim=1)
    plain = refiner(logits, descriptor, detail, seed).logits
    assert torch.equal(plain, refiner(logits, descriptor, detail, absent).logits)
    assert not torch.allclose(plain, refiner(logits, descriptor, detail, negative).logits)


def test_the_correction_teaches_the_refiner_and_passes_the_logits_their_own_gradient():
    refiner = some_refiner()
    pyramid = [torch.randn(1, 12, 60 // s, 90 // s, requires_grad=True) for s in (1, 2, 4)]
    logits = logits_of((3, 4, 30, 29), (2, 2, 40, 30), (0, 0, 90, 60)).requires_grad_()
    descriptor = torch.ones(1, 10, requires_grad=True)
    detail = refiner.detail_maps(pyramid)
    refined = refiner(logits, descriptor, detail, one_click(12.0, 10.0))
    (refined.logits.sum() + refined.context.sum()).backward()
    assert torch.equal(logits.grad, torch.ones_like(logits))
    assert descriptor.grad is None
    without = {name for name, p in refiner.named_parameters() if p.grad is None or not p.grad.any()}
    assert without <= {"detail.2.weight", "detail.2.bias"}  # no frame here is that large
