"""What a report must not claim: intervals of three codes, decades of rounding, distances that overflow."""

import json
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.report import TRIPLES

KEY, MSE = jax.random.key(3), gg.distances.mse()
OPTIONS = {"key": KEY, "progress": False, "control": False}
A = np.random.default_rng(0).standard_normal((48, 4)).astype(np.float32)


def image_of(function, name):
    def network(A, z):
        return function(A, z).reshape(4, 4, 3)

    return gg.Generator.from_function(network, A, 4, name=name)


def made(G, codes, out, names=None, **options):
    """A report of a few parts, the numbers that it holds, and the warnings on the way."""
    parts = [part for part in TRIPLES if names is None or part.name in names]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = gg.report(G, MSE, codes, out=out, triples=parts, **OPTIONS | options)
    return report, json.loads(report.summary.read_text()), [str(warning.message) for warning in caught]


@pytest.mark.parametrize("codes", [1, 3, 6])
def test_intervals_are_of_enough_codes_everywhere(codes, tmp_path):
    G = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    names = {"spectrum", "anisotropy", "homogeneity", "latent_distance", "distances"}
    names -= {"latent_distance"} if codes < 4 else set()
    report, told, _ = made(G, codes, tmp_path, names, compare=gg.distances.euclidean())
    shown = [report.finding, *(section["said"] for section in told["sections"].values())]
    numbers = [interval for per in told["anisotropy"].values() for interval in per.values()]
    tables = [cell for part in told["sections"].values() for column, cells in part.get("table", {}).items()
              if "interval" in column for cell in cells]  # fmt: skip
    if codes == 6:
        assert "too few" not in "".join(shown)
        assert len(re.findall("95 % interval", report.finding)) >= 5
        assert all(None not in interval for interval in numbers)
        return
    assert not re.search(r"95 % intervals? [\d.]", " ".join(shown))
    assert all(interval[1:] == [None, None] for interval in numbers)
    assert set(tables) == {"too few codes for an interval"}
    assert "<td>too few codes for an interval</td>" in report.page.read_text()
    if codes == 3:
        assert "(medians of 3 codes, too few for an interval)" in report.finding
        assert "(mean over pairs of 3 codes, too few for an interval; axes" in report.finding


def test_the_relation_to_distance_reads_also_of_four_codes(tmp_path):
    G = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    said = made(G, 4, tmp_path, {"anisotropy", "homogeneity", "latent_distance"})[1]["sections"]["latent_distance"][
        "said"
    ]
    assert re.search(
        r"That makes [+-][\d.e-]+ \(too few codes for an interval\) from the nearest pair, [\d.]+ units", said
    )
    assert re.search(r"r = -?[\d.]+, p = [\d.]+\. p is by permutations of codes", said)


def test_what_is_below_the_noise_floor_makes_no_decades(tmp_path):
    line = image_of(lambda A, z: jnp.tanh(A[:, 0] * z.sum()), "rank-one")
    report, told, _ = made(line, 2, tmp_path, {"anisotropy", "random_directions"})
    field = gg.MetricField.read(tmp_path / "field.zarr")
    part = told["sections"]["random_directions"]
    assert part["facts"]["decades"] == pytest.approx(np.log10(field.values[0, 0] / field.noise_floor[0]))
    assert "span at least" in part["said"]
    assert "decades" not in part["said"].partition("span at least")[2]
    assert "down to the noise floor, which only 1 of 4 are above" in part["said"]
    assert "one eigenvalue alone is above the noise floor" in report.finding
    whole = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    said = made(whole, 2, tmp_path / "whole", {"random_directions"})[1]["sections"]["random_directions"]["said"]
    assert "noise floor" not in said


def test_distances_that_overflow_are_told_first(tmp_path):
    G = image_of(lambda A, z: 1e30 * jnp.tanh(A @ z), "huge")
    report, told, warned = made(G, 2, tmp_path, {"axes", "curves", "anisotropy", "trust_radius"}, top=2)
    assert report.finding.startswith("Squared distances between samples are no numbers in float32")
    assert warned[0].startswith(report.finding.partition(":")[0])
    assert told["sections"]["anisotropy"]["said"]  # what can be computed is there
    assert told["sections"]["axes"]["said"].startswith("Not computed: ")
    assert "distances between samples are infinite" in told["sections"]["trust_radius"]["said"]
    assert told["sections"]["axes"]["said"] == told["sections"]["trust_radius"]["said"]
    assert not [text for text in warned if "Axis limits" in text or "invalid value" in text]


def test_a_metric_of_rounded_samples_is_told_first(tmp_path):
    G = image_of(lambda A, z: jnp.round(20 * jnp.tanh(A @ z)), "rounded")
    report, _, warned = made(G, 2, tmp_path, {"anisotropy"})
    start = "The metric is not that of the samples: code 0 and 1 more: derivatives along all of 4 latent dimensions"
    assert report.finding.startswith(start)
    assert "hvp='finite-difference'" in report.finding
    assert any("derivatives along all of 4 latent dimensions are exactly zero" in text for text in warned)


@pytest.mark.parametrize("channels", [1, 3])
def test_signals_side_by_side_are_no_images(channels, tmp_path):
    A = np.random.default_rng(0).standard_normal((64 * channels, 4)).astype(np.float32)
    sound = gg.Generator.from_function(lambda A, z: jnp.tanh(A @ z).reshape(64, channels), A, 4, name="sound")
    names = {"directions", "null_space", "compression"}
    _, told, warned = made(sound, 3, tmp_path, names)
    assert set(told["sections"]) == names
    assert not warned


def test_two_latent_dimensions_have_no_correlation_of_axes(tmp_path):
    G = gg.Generator.from_function(lambda A, z: jnp.tanh(A[:, :2] @ z).reshape(4, 4, 3), A, 2, name="flat")
    report, told, warned = made(G, 6, tmp_path, {"spectrum", "anisotropy", "homogeneity", "consistency"})
    assert set(told["sections"]) == {"spectrum", "anisotropy"}
    assert "log r" not in report.finding
    assert not warned


def test_an_axis_that_does_not_move_leaves_the_others_their_figure(tmp_path):
    G = image_of(lambda A, z: jnp.tanh(A[:, :3] @ z[:3]), "dead")
    report, told, warned = made(G, 2, tmp_path, {"axes", "walk", "curves", "trust_radius"})
    assert not [text for text in warned if "could not be made" in text]
    assert told["sections"]["axes"]["said"].endswith("as they change the sample by no more than rounding: axis 4.")
    assert told["sections"]["walk"]["table"]["axis"] == [1, 2, 3]
    rows = np.genfromtxt(report.folder / "figures" / "axes.csv", delimiter=",", names=True)
    assert rows["rank"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(rows["eigenvalue"], gg.MetricField.read(tmp_path / "field.zarr").values[0, :3])


def test_files_that_are_gone_are_made_again(tmp_path):
    G = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    call = lambda: made(G, 1, tmp_path, {"spectrum", "directions"})[0]
    first = call()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in (".png", ".svg", ".csv", ".npz")}
    gone = [path for path in files if path.parent.name != "parts"]
    assert {path.name for path in gone} == {
        *("spectrum.png", "spectrum.svg", "spectrum.csv", "directions.csv", "directions.npz"),
        *("axes-mean.npz", "axes-code0.npz"),
    }
    for path in gone:
        path.unlink()
        again = call()
        assert again.computed == ()
        assert path.read_bytes() == files[path]
    assert again.finding == first.finding


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_in_the_way_is_told_before_any_work(below, tmp_path):
    (tmp_path / "taken").write_text("mine")
    G = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    with pytest.raises(gg.StoreError, match=r"taken is a file; expected a folder for the report"):
        gg.report(G, MSE, 2, out=tmp_path / "taken" / below, **OPTIONS)
    with pytest.raises(gg.StoreError, match=r"taken is a file; expected a folder for the store"):
        gg.metric_field(G, MSE, np.zeros((1, 4), np.float32), store=tmp_path / "taken" / below)
    assert (tmp_path / "taken").read_text() == "mine"


def test_coarse_metrics_say_what_they_are_off_by(tmp_path):
    G = image_of(lambda A, z: jnp.tanh(A @ z), "smooth")
    options = {"names": {"spectrum"}, "precision": "tf32"}
    report, told, _ = made(G, 2, tmp_path / "run", **options)
    assert told["relative_error"] == 4e-3
    assert told["run"]["precision"] == "tf32"
    page = report.page.read_text()
    assert "relative error of the metrics, at most" in page
    assert "precision=&#x27;tf32&#x27;" in page
    assert not made(G, 2, tmp_path / "run", **options)[0].computed
    with pytest.raises(gg.StoreError, match="precision: stored 'tf32', now 'highest'"):
        made(G, 2, tmp_path / "run", names={"spectrum"})
