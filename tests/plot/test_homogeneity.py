"""Figures of homogeneity: what is drawn where."""

import dataclasses

import numpy as np
import pytest

import geomgan as gg
from geomgan import plot
from geomgan.analysis.consistency_examples import consistency_examples
from geomgan.analysis.distance_relation import DistanceRelation
from geomgan.analysis.homogeneity import consistency
from geomgan.errors import OptionError
from geomgan.plot.homogeneity import MANY
from geomgan.plot.style import CYCLE, codes_of
from tests.plot.test_spectrum import assert_readable, field, line
from tests.small_models import linear_generator

CODES = 6


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


@pytest.fixture(scope="module")
def tensors():
    return field(codes=CODES)


@pytest.fixture(scope="module")
def c(tensors):
    return consistency(tensors)


def test_matrix_shows_all_pairs_of_distinct_codes_on_one_scale(c):
    fig = plot.consistency_matrix(c)
    for ax, name in zip(fig.axes, ("linear", "log"), strict=False):
        drawn = ax.images[0].get_array()
        np.testing.assert_allclose(off_diagonal(drawn.filled(np.nan)), off_diagonal(getattr(c, name)))
        assert np.ma.getmaskarray(drawn).diagonal().all()
        pairs = off_diagonal(getattr(c, name))
        numbers = f"mean {pairs.mean():.3f}, median {np.median(pairs):.3f}".replace("-", "−")
        assert ax.get_title(loc="left") == f"{name}\n{numbers}"
    lowest = min(off_diagonal(c.linear).min(), off_diagonal(c.log).min())
    limits = [ax.images[0].get_clim() for ax in fig.axes[:2]]
    assert limits[0] == limits[1]
    assert limits[0][0] == pytest.approx(np.floor(10 * lowest) / 10)
    assert limits[0][1] == 1
    assert fig.axes[2].get_ylabel() == "consistency (r)"


def test_matrix_names_codes_by_their_place_in_the_field(c):
    kept = dataclasses.replace(c, indices=np.array([0, 1, 4, 5, 7, 9]))
    ax = plot.consistency_matrix(kept, "vectorised").axes[0]
    assert [ax.xaxis.get_major_formatter()(i) for i in range(6)] == ["0", "1", "4", "5", "7", "9"]


def test_histogram_holds_every_pair_and_marks_mean_and_median(c):
    shuffled = consistency(field(5, codes=CODES))
    fig = plot.consistency_histogram({"A": c, "A shuffled": shuffled}, "linear", bins=20)
    edges = np.linspace(*np.percentile([off_diagonal(c.linear), off_diagonal(shuffled.linear)], (0, 100)), 21)
    for ax, each in zip(fig.axes, (c, shuffled), strict=True):
        pairs = off_diagonal(each.linear)
        heights = ax.patches[0].get_data().values
        np.testing.assert_allclose(heights, 100 * np.histogram(pairs, edges)[0] / len(pairs), atol=1e-9)
        np.testing.assert_allclose(line(ax, "mean").get_xdata(), pairs.mean())
        np.testing.assert_allclose(line(ax, "median").get_xdata(), np.median(pairs))


def pairs_of(fig, n):
    """What a scatter of ``n`` codes draws, by its axis ticks: points ``(n (n - 1), 2, d)``, titles ``(n, n)``, bars."""
    ax = fig.axes[0]

    def values(places, ticks, labels, panel):
        ticks = np.reshape(ticks, (n, -1))[panel]
        numbers = [float(label.get_text().replace("−", "-")) for label in labels[: len(ticks)]]
        return np.polyval(np.polyfit(ticks, numbers, 1), places)

    x, y = (np.reshape(places, (n * (n - 1), -1)) for places in ax.lines[0].get_data())
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    points = [
        (values(x[k], ax.get_xticks(), ax.get_xticklabels(), j), values(y[k], ax.get_yticks(), ax.get_yticklabels(), i))
        for k, (i, j) in enumerate(pairs)
    ]
    bars = [patch.get_data() for patch in ax.patches]
    return np.array(points), np.reshape([text.get_text() for text in ax.texts], (n, n)), bars


def test_scatter_draws_what_the_consistency_correlates(tensors, c):
    chosen = [4, 0, 3]
    points, titles, bars = pairs_of(plot.consistency_scatter(tensors, chosen), 3)
    pairs = iter(points)
    for row, i in enumerate(chosen):
        for column, j in enumerate(chosen):
            values = np.linalg.eigvalsh(tensors[j])[::-1]
            if i == j:
                heights = bars[row].values - bars[row].baseline
                counts = np.rint(heights / heights.max() * int(titles[row, column].split("≤ ")[1]))
                assert counts.sum() == len(values)
                continue
            frame, (x, y) = np.linalg.eigh(tensors[i])[1][:, ::-1], next(pairs)
            np.testing.assert_allclose(x, np.log10(values), atol=1e-6)
            np.testing.assert_allclose(y, np.log10(np.diag(frame.T @ tensors[j] @ frame)), atol=1e-6)
            assert titles[row, column] == f"{i} → {j}: r = {c.log[i, j]:.2f}".replace("-", "−")
    examples = consistency_examples(tensors, chosen)
    np.testing.assert_array_equal(pairs_of(plot.consistency_scatter(examples), 3)[0], points)


def test_scatter_of_a_field_without_change_lies_on_the_line():
    F = gg.metric_field(
        linear_generator(np.diag([3.0, 1.0, 0.1]).astype(np.float32)), gg.distances.euclidean(), np.zeros((3, 3)),
        progress=False,
    )  # fmt: skip
    for x, y in pairs_of(plot.consistency_scatter(F, 2), 2)[0]:
        np.testing.assert_allclose(x, np.log10([9, 1, 0.01]), atol=1e-6)
        np.testing.assert_allclose(y, x, atol=1e-6)


@pytest.mark.parametrize("codes", [7, 1, [0, 6], [2], [-1, 2]])
def test_scatter_of_codes_that_are_not_there(tensors, codes):
    with pytest.raises(ValueError, match="expected"):
        plot.consistency_scatter(tensors, codes)


def test_synopsis_places_models_and_joins_controls(c):
    shuffled = consistency(field(5, codes=CODES))
    ax = plot.consistency_synopsis({"A shuffled": shuffled, "A": c}).axes[0]
    for container, each, face in zip(ax.containers, (shuffled, c), ("white", CYCLE[0]), strict=True):
        marker, _, bars = container
        assert marker.get_xdata()[0] == pytest.approx(off_diagonal(each.linear).mean())
        assert marker.get_ydata()[0] == pytest.approx(off_diagonal(each.log).mean())
        assert marker.get_markerfacecolor() == face
        across, up = (bar.get_segments()[0] for bar in bars)
        assert np.ptp(across[:, 0]) == pytest.approx(2 * off_diagonal(each.linear).std())
        assert np.ptp(up[:, 1]) == pytest.approx(2 * off_diagonal(each.log).std())
    joined = next(each for each in ax.lines if each.get_linestyle() == ":")
    ends = [off_diagonal(c.linear).mean(), off_diagonal(shuffled.linear).mean()]
    np.testing.assert_allclose(joined.get_xdata(), ends)


@pytest.mark.parametrize("count", [40, MANY + 1])
def test_distances_are_drawn_with_their_means(count):
    rng = np.random.default_rng(0)
    x, y = rng.random(count), rng.random(count)
    relation = DistanceRelation(x, y, r=-0.12, p=0.034, p_independent=0.01, name="log", draws=999)
    fig = plot.consistency_against_distance(relation, bins=4)
    ax = fig.axes[0]
    order = np.argsort(x)
    expected = [y[group].mean() for group in np.array_split(order, 4)]
    np.testing.assert_allclose(ax.containers[0][0].get_ydata(), expected)
    assert "mean of (i, j) and (j, i)" in ax.get_ylabel()
    assert "−0.120" in fig._suptitle.get_text()
    assert "0.034" in fig._suptitle.get_text()
    known = dataclasses.replace(relation, slope=-0.0123, interval=(-0.02, 0.004), count=9)
    title = " ".join(plot.consistency_against_distance(known)._suptitle.get_text().split())
    assert f"{count} pairs of 9 codes" in title
    assert "slope −0.012 per latent unit (95 % interval −0.020 to +0.0040)" in title
    if count > MANY:
        assert ax.collections[0].get_array().sum() == count
    else:
        np.testing.assert_array_equal(line(ax, "pair of codes").get_xdata(), x)


@pytest.mark.parametrize(("pairs", "groups"), [(3, 1), (6, 1), (15, 3), (300, 8)])
def test_groups_have_pairs_enough_for_a_deviation(pairs, groups):
    x, y = np.random.default_rng(0).random((2, pairs))
    relation = DistanceRelation(x, y, r=0.1, p=0.5, p_independent=0.5, name="log", draws=9, slope=0.1,
                                interval=(-1.0, 1.0), count=3)  # fmt: skip
    fig = plot.consistency_against_distance(relation)
    assert len(fig.axes[0].containers[0][0].get_ydata()) == groups
    assert "(too few codes for an interval)" in " ".join(fig._suptitle.get_text().split())


@pytest.mark.parametrize(("counts", "words"), [([16, 16], "16 codes"), ([1], "1 code"), ([4, 9], "4 to 9 codes")])
def test_how_many_codes_are_behind_a_figure(counts, words):
    assert codes_of(counts) == words


def test_titles_say_how_many_codes(c):
    count = len(c.indices)
    titles = [
        plot.consistency_matrix(c)._suptitle.get_text(),
        plot.consistency_histogram(c)._suptitle.get_text(),
        plot.consistency_synopsis({"A": c})._suptitle.get_text(),
    ]
    assert all(f"pairs of {count} codes" in " ".join(title.split()) for title in titles)


def test_a_name_that_is_not_known(c):
    for draw in (plot.consistency_matrix, plot.consistency_histogram):
        with pytest.raises(OptionError, match="vectorised"):
            draw(c, "vectorized")


def test_what_is_no_consistency_is_named(c):
    F = gg.metric_field(linear_generator(np.eye(3, dtype=np.float32)), gg.distances.euclidean(), np.zeros((2, 3)),
                        progress=False)  # fmt: skip
    expected = r"is a MetricField; expected the result of geomgan.analysis.consistency\(F\)"
    for draw in (plot.consistency_matrix, plot.consistency_histogram):
        with pytest.raises(TypeError, match=f"c {expected}"):
            draw(F)
    with pytest.raises(TypeError, match=rf"c\['a'\] {expected}"):
        plot.consistency_histogram({"b": c, "a": F})
    with pytest.raises(TypeError, match=rf"fields\['a'\] {expected}"):
        plot.consistency_synopsis({"a": F})


def test_what_is_undefined_for_every_pair():
    same = consistency(np.array([np.eye(3), 2 * np.eye(3)]))
    with pytest.raises(ValueError, match="undefined for every pair"):
        plot.consistency_histogram(same, "log")


def test_every_figure_is_readable(tensors, c):
    models = {"a generator": c, "a generator shuffled": consistency(field(5, codes=CODES))}
    x = np.arange(15.0)
    relation = DistanceRelation(x, x / 20, r=0.12, p=0.034, p_independent=0.01, name="vectorised", draws=999)
    assert_readable(plot.consistency_matrix(c, ("linear", "log", "vectorised")))
    assert_readable(plot.consistency_matrix(c, "log"))
    assert_readable(plot.consistency_histogram(models))
    assert_readable(plot.consistency_scatter(tensors, 4))
    assert_readable(plot.consistency_synopsis(models))
    assert_readable(plot.consistency_against_distance(relation))
