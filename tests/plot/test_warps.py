"""Films and strips of single paths: which pictures stand still, and where the bar is."""

import numpy as np
import pytest

from geomgan.plot.warps import BAR, GAP, still_places, summary_frames


@pytest.mark.parametrize(
    ("count", "stills", "places"),
    [(13, 9, [0, 2, 4, 6, 8, 10, 12]), (33, 9, range(0, 33, 4)), (5, 9, range(5)), (17, 5, [0, 4, 8, 12, 16])],
)
def test_stills_are_at_equal_steps_around_the_code(count, stills, places):
    assert still_places(count, stills).tolist() == list(places)


def test_frames_have_stills_a_gap_and_the_moving_picture_over_a_growing_bar():
    images = np.arange(2 * 4 * 6 * 8 * 3).reshape(2, 4, 6, 8, 3).astype(np.uint8) % 200
    frames = summary_frames(images, [0, 3])
    assert frames.shape == (2, 4, 6 + BAR, 2 * 8 + GAP + 8, 3)
    for t in range(4):
        np.testing.assert_array_equal(frames[:, t, :6, :8], images[:, 0])
        np.testing.assert_array_equal(frames[:, t, :6, 8:16], images[:, 3])
        np.testing.assert_array_equal(frames[:, t, :6, -8:], images[:, t])
        bar = (frames[0, t, 6:, -8:] != 255).any(axis=-1)
        assert bar[0].tolist() == [i < 2 * (t + 1) for i in range(8)]
    assert (frames[:, :, :6, 16 : 16 + GAP] == 255).all()
