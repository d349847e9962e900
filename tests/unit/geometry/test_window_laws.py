"""Windows: cutting and putting back are inverses, and tiles cover everything."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.geometry.window import Window, crop, paste, tile_starts, window_around

sizes = st.integers(1, 30)


@given(st.tuples(sizes, sizes, st.integers(1, 3)), st.tuples(st.integers(-40, 40), st.integers(-40, 40)), sizes, sizes)
def test_paste_undoes_crop_inside_the_window_and_touches_nothing_else(shape, start, height, width):
    data = np.random.default_rng(0).random(shape).astype(np.float32)
    window = Window(start, (height, width), shape[2] - 1)
    values, valid = crop(data, window)
    assert values.shape == valid.shape == (height, width)
    target = np.full(shape, -1, np.float32)
    paste(target, values, window)
    # Oracle: membership pixel by pixel.
    for i, j in np.ndindex(shape[:2]):
        inside = 0 <= i - start[0] < height and 0 <= j - start[1] < width
        assert target[i, j, window.k] == (data[i, j, window.k] if inside else -1)
    assert (target[..., : window.k] == -1).all()
    assert valid.sum() == (target[..., window.k] >= 0).sum()
    assert (values[~valid] == 0).all()


@given(sizes, sizes, sizes)
def test_tiles_cover_every_pixel_with_bounded_steps(n, size, step):
    step = min(step, size)
    starts = tile_starts(n, size, step)
    covered = np.zeros(n, bool)
    for start in starts:
        covered[max(start, 0) : start + size] = True
    assert covered.all()
    assert len(set(starts)) == len(starts)
    assert (np.diff(starts) <= step).all()
    if n >= size:
        assert starts[0] == 0
        assert starts[-1] + size == n


@given(st.floats(-50, 50), st.floats(-50, 50), st.integers(1, 40), st.integers(1, 40))
def test_the_middle_of_a_window_is_within_half_a_pixel_of_its_centre(i, j, height, width):
    window = window_around(np.array([i, j]), (height, width), 0)
    middle = np.array(window.start) + (np.array(window.shape) - 1) / 2
    assert (np.abs(middle - (i, j)) <= 0.5 + 1e-9).all()


def test_tile_starts_by_hand():
    assert tile_starts(10, 4, 3) == [0, 3, 6]
    assert tile_starts(3, 5, 2) == [-1]
    assert tile_starts(5, 5, 2) == [0]
