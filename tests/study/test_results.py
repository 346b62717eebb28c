"""Agreement, permutation tests, and the results of a study."""

import csv
import json
from itertools import combinations

import jax
import numpy as np
import pytest

from geomgan.study import (
    Participant,
    StudyKey,
    krippendorff_alpha,
    permutation_test,
    read_answers,
    study_results,
    write_results,
)
from geomgan.study.agreement import alpha_interval
from geomgan.study.summary import summary_table
from tests.study import answer, answers_of, written

KEY = jax.random.key(0)

NAN = float("nan")


# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): four observers, twelve units
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level, alpha):
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(alpha, abs=5e-4)


def test_alpha_by_hand():
    # two observers, units (1, 1), (2, 3), (1, NaN): o_11 = 2, o_23 = o_32 = 1, n = 4, n_1 = 2, n_2 = n_3 = 1
    ratings = [[1, 2, 1], [1, 3, NAN]]
    assert krippendorff_alpha(ratings, "nominal") == pytest.approx(1 - 3 * 2 / (16 - 6))
    assert krippendorff_alpha(ratings, "interval") == pytest.approx(1 - 3 * 2 / (2 * (2 * 1 + 2 * 4 + 1)))
    # ordinal distances: 1 to 2: 2 + 1 - 1.5, 1 to 3: 2 + 1 + 1 - 1.5, 2 to 3: 1 + 1 - 1
    assert krippendorff_alpha(ratings, "ordinal") == pytest.approx(1 - 3 * 2 / (2 * (2 * 1.5**2 + 2 * 2.5**2 + 1)))


def test_alpha_of_complete_nominal_data_is_fleiss_kappa(rng):
    ratings = rng.integers(1, 4, (5, 30))
    counts = np.stack([(ratings == value).sum(0) for value in (1, 2, 3)], axis=1)  # (units, categories)
    agreement = ((counts**2).sum(1) - 5) / 20
    chance = ((counts.sum(0) / 150) ** 2).sum()
    kappa = (agreement.mean() - chance) / (1 - chance)
    expected = kappa + (1 - kappa) / 150  # alpha corrects for the finite sample
    assert krippendorff_alpha(ratings, "nominal") == pytest.approx(expected, abs=1e-12)


def test_alpha_at_its_limits(rng):
    same = np.tile(rng.integers(1, 10, 20), (4, 1))
    for level in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha(same, level) == pytest.approx(1)
        assert np.isnan(krippendorff_alpha(np.full((3, 4), 2.0), level))
        assert np.isnan(krippendorff_alpha([[1, NAN], [NAN, 2]], level))
    assert abs(krippendorff_alpha(rng.integers(1, 10, (10, 400)), "interval")) < 0.03
    ratings = rng.integers(1, 10, (4, 20)).astype(float)
    assert krippendorff_alpha(3 * ratings + 2, "interval") == pytest.approx(krippendorff_alpha(ratings, "interval"))
    assert krippendorff_alpha(ratings**3, "ordinal") == pytest.approx(krippendorff_alpha(ratings, "ordinal"))
    with pytest.raises(ValueError, match="Did you mean 'nominal'"):
        krippendorff_alpha(ratings, "nominl")
    with pytest.raises(ValueError, match=r"expected \(participants, units\)"):
        krippendorff_alpha(ratings[0], "nominal")


# Results


def test_permutation_test_counts_all_labellings(rng):
    values, axes = rng.normal(size=9), np.arange(9) < 4
    observed = abs(values[axes].mean() - values[~axes].mean())
    labellings = [np.isin(np.arange(9), chosen) for chosen in combinations(range(9), 4)]
    extreme = sum(abs(values[x].mean() - values[~x].mean()) >= observed - 1e-12 for x in labellings)
    p, least = permutation_test(values, axes, rng)
    assert p == pytest.approx(extreme / len(labellings))
    assert least == pytest.approx(1 / len(labellings))
    assert permutation_test(np.array([3.0, 2.0, 1.0, 0.0]), np.arange(4) < 2, rng) == (1 / 3, 1 / 3)
    assert permutation_test(np.array([3.0, 2.0, NAN, 1.0, 0.0]), np.arange(5) < 3, rng) == (1 / 3, 1 / 3)
    assert np.isnan(permutation_test(np.ones(3), np.ones(3, bool), rng)).all()


def test_permutation_test_draws_where_there_are_too_many(rng):
    axes = np.arange(40) < 20
    assert permutation_test(axes + 0.1 * rng.random(40), axes, rng) == (1 / 20_001, 1 / 20_001)
    values = rng.normal(size=40)
    values[axes] += 0.5
    standard_error = np.sqrt(2 / 20) * values.std()
    z = abs(values[axes].mean() - values[~axes].mean()) / standard_error
    from scipy.stats import norm

    assert permutation_test(values, axes, rng)[0] == pytest.approx(2 * norm.sf(z), abs=0.02)


def people_of(key, tables):
    """Participants from ``(seen, amount, similarity)`` of each question."""
    people = []
    for i, table in enumerate(tables):
        seen, amount, similarity = np.array(table, float).T
        rows = np.where(seen[:, None] > 0, np.eye(5)[: len(seen)] + np.eye(5)[4], 0.0)
        values = {"amount": np.where(seen, amount, NAN), "similarity": np.where(seen, similarity, NAN)}
        people.append(
            Participant(
                f"p{i}", f"{i}.json", f"s{i}", seen > 0, rows=rows, difficulty=np.where(seen, 10 - similarity, NAN),
                common=("=1+1",) * len(seen), position=np.arange(len(seen)) + 1, seconds=np.ones(len(seen)), **values,
            )
        )  # fmt: skip
    return people


HAND = StudyKey(
    "0" * 16, 5, ("a", "b", "c"), ("axis 1", "axis 2", "control 1"), np.array([1, 1, 0], bool), np.ones(3), ""
)


def test_means_differences_and_intervals_by_hand():
    tables = [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]] * 3
    results = study_results(HAND, people_of(HAND, tables), KEY)
    measures = {measure.name: measure for measure in results.measures}
    np.testing.assert_allclose(measures["saw_change"].mean, [100, 50, 50])
    np.testing.assert_allclose(measures["amount"].mean, [70, 20, 5])
    np.testing.assert_allclose(measures["similarity"].mean, [8.5, 6, 3])
    np.testing.assert_allclose(measures["rows"].mean, [2, 1, 1])
    assert measures["similarity"].given.tolist() == [6, 3, 3]
    assert measures["amount"].axes[0] == pytest.approx(45)
    assert measures["amount"].difference[0] == pytest.approx(40)
    assert measures["amount"].p == pytest.approx(2 / 3)  # apart by 40; by 57.5 were axis 1 the control
    # of six draws none is of the first kind in 1.6 % of cases, and at most one in 11 %: the ends are at one of six
    assert measures["amount"].axes[1:] == pytest.approx((40 + 10 / 6, 50 - 10 / 6))
    assert (measures["amount"].low[0], measures["amount"].high[0]) == pytest.approx((60 + 20 / 6, 80 - 20 / 6))
    assert measures["similarity"].difference[0] == pytest.approx(4.25)
    agreement = {(a.name, a.level): a for a in results.agreements}
    assert agreement["saw_change", "nominal"].everywhere[0] == pytest.approx(
        krippendorff_alpha([[1, 1, 1], [1, 0, 0]] * 3, "nominal")
    )
    assert agreement["amount", "interval"].everywhere[0] == pytest.approx(
        krippendorff_alpha([[60, 40, 10], [80, 0, 0]] * 3, "interval")
    )
    assert agreement["rows", "nominal"].axes[0] == pytest.approx(
        krippendorff_alpha([[1, 0, 0, 0, 1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]] * 3, "nominal")
    )


def test_results_do_not_depend_on_the_order_and_follow_the_key_of_randomness(rng):
    tables = [[(1, rng.integers(100), rng.integers(1, 10)) for _ in range(3)] for _ in range(6)]
    people = people_of(HAND, tables)
    a, b = (study_results(HAND, people, jax.random.key(seed)) for seed in (1, 1))
    assert a.measures[1].axes == b.measures[1].axes
    other = study_results(HAND, people, jax.random.key(2))
    assert a.measures[1].axes != other.measures[1].axes
    assert a.measures[1].axes == pytest.approx(other.measures[1].axes, rel=0.1)
    assert np.isnan([agreement.everywhere[1:] for agreement in a.agreements]).all()  # over three questions
    estimate, low, high = alpha_interval(rng.integers(1, 10, (6, 8)), "interval", rng, 300)
    assert low <= estimate <= high
    with pytest.raises(ValueError, match="at least one"):
        study_results(HAND, [], KEY)


@pytest.mark.parametrize(
    ("people", "said"), [(2, "too few for 95 % intervals, which need at least 6."), (6, "in brac")]
)
def test_few_participants_have_means_without_intervals(people, said):
    results = study_results(HAND, people_of(HAND, [[(1, 60, 8), (1, 40, 6), (1, 10, 3)]] * people), KEY)
    assert (results.measures[1].axes[0], results.measures[1].mean.tolist()) == (50, [60, 40, 10])
    assert np.isnan(results.measures[1].axes[1:]).all() == (people < 6)
    assert f"{people} participants; {said}" in summary_table(results)


def test_one_participant_has_no_interval_and_no_agreement():
    results = study_results(HAND, people_of(HAND, [[(1, 60, 8), (1, 40, 6), (0, 0, 0)]]), KEY)
    assert results.measures[1].mean.tolist() == [60, 40, 0]
    assert np.isnan(results.measures[1].axes[1:]).all()
    assert np.isnan(results.agreements[0].everywhere).all()


def test_files_hold_the_numbers_and_nothing_that_runs(tmp_path):
    tables = [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]]
    write_results(study_results(HAND, people_of(HAND, tables), KEY), tmp_path)
    results = json.loads((tmp_path / "results.json").read_text(), parse_constant=lambda _: pytest.fail("not JSON"))
    assert results["questions"][0]["amount"]["estimate"] == 70
    assert results["axes_against_controls"]["amount"]["p"] == pytest.approx(2 / 3)
    with (tmp_path / "results.csv").open(newline="") as file:
        by_axis = list(csv.DictReader(file))
    assert [row["label"] for row in by_axis] == list(HAND.labels)
    assert float(by_axis[0]["similarity"]) == 8.5
    with (tmp_path / "answers.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 6
    assert answers[1]["rows"] == "2 5"
    assert {row["common"] for row in answers} == {"'=1+1"}


def test_free_text_is_kept_on_one_line_in_characters_that_can_be_written(key, tmp_path):
    text = "a\nb\x1b[31m \ud800 \u2028 <b>"
    person = read_answers(key, [written(tmp_path / "a.json", answers_of(key, each=lambda t: answer(t, common=text)))])[
        0
    ]
    assert person.common[0] == "a b [31m <b>"
    write_results(study_results(key, [person], KEY), tmp_path)
