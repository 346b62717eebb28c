import pytest

from geomgan import plot


def test_curves_of_one_size_share_a_panel():
    rows = [{"step": 50 * i, "loss": 600 / i, "kl": 20 + i, "mse": 0.1 / i, "hinge": 25.0} for i in range(1, 30)]
    figure = plot.training_curves(rows, "A training")
    drawn = [{line.get_label(): line.get_ydata() for line in ax.get_lines()} for ax in figure.axes]
    assert [set(panel) for panel in drawn] == [{"loss"}, {"kl", "hinge"}, {"mse"}]
    assert list(drawn[1]["kl"]) == [row["kl"] for row in rows]
    assert plot.training_curves(rows[:1]).axes[0].get_lines()[0].get_marker() == "."
    with pytest.raises(ValueError, match="there are no rows"):
        plot.training_curves([])
