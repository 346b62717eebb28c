"""Pictures of a search as it goes on, without a search."""

import jax
import numpy as np

from geomgan.directions import direction_set, initial_warps
from geomgan.directions.warped_training import moves_of
from geomgan.report.trainings import curve_pictures, training_pictures, walked
from geomgan.runs.curve import Curve
from tests.small_models import linear_generator, smooth_generator


def test_directions_and_warps_go_equally_far(tmp_path):
    G = smooth_generator()
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
    found = direction_set(G, 3 * np.eye(6)[:, :2], "by hand")
    walks = walked(G, found, z, 4.0, 5)
    np.testing.assert_allclose(walks.codes[0, 1, :, 1] - z[1], np.linspace(-4, 4, 7), atol=1e-5)
    warps = moves_of(initial_warps(jax.random.key(1), 6, 3, 2), "z")
    bent = walked(G, warps, z, 4.0, 2)
    assert bent.names == ("warp 0", "warp 1")
    steps = np.linalg.norm(np.diff(bent.codes[0], axis=1), axis=-1)
    assert 0.9 * 8 / 6 < steps[:, 2].min() <= steps.max() < 8 / 6 + 1e-5  # arcs of 8 / 6, by chords
    draw = training_pictures(G, z, tmp_path, reach=2.0, first=1)
    draw("deformator", found, 500)
    assert (tmp_path / "deformator" / "000500.png").stat().st_size > 1000
    assert training_pictures(linear_generator(np.eye(3, dtype=np.float32)), z[:3], tmp_path) is None


def test_loss_curves_are_drawn_where_there_are_some(tmp_path):
    for file in ("warps/training.csv", "dictionary/checkpoint.csv"):
        Curve([{"step": 50, "loss": 2.0}, {"step": 100, "loss": 1.0}]).write(tmp_path / "found" / file)
    drawn = curve_pictures(["metric", "warps", "dictionary"], tmp_path / "found", tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in drawn] == ["warps/curve.png", "dictionary/curve.png"]
