"""The study kit without a browser: what is computed, hidden, checked and concluded."""

import base64
import csv
import io
import json
from dataclasses import replace
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main
from geomgan.metric import MetricField
from geomgan.plot.study_page import picture_row, study_page
from geomgan.plot.style import displayable
from geomgan.study import (
    Participant,
    StudyKey,
    StudyPlan,
    krippendorff_alpha,
    make_study,
    parse_ranks,
    permutation_test,
    read_answers,
    read_key,
    study_results,
    write_results,
)
from tests.study import PLAN, answer, answers_of, written

NAN = float("nan")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study."""
    folder = tmp_path_factory.mktemp("study")
    make_study(PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def key(study):
    return read_key(study / "study_key.json")


def content_of(page):
    return json.loads(page.read_text().split('id="content">')[1].split("</script>")[0])


def strip(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def full_key(study):
    return json.loads((study / "study_key.json").read_text())


# What is computed


def test_axes_are_those_of_the_mean_metric(study):
    field = MetricField.read(study / "field.zarr")
    mean = np.mean(np.asarray(field.tensors), axis=0)
    values, vectors = np.linalg.eigh(mean)
    trials = {entry["label"]: entry for entry in full_key(study)["trials"].values()}
    assert sorted(trials) == ["axis 1", "axis 3", "control 1", "control 2"]
    for rank in (1, 3):
        entry = trials[f"axis {rank}"]
        assert abs(np.dot(entry["vector"], vectors[:, -rank])) == pytest.approx(1, abs=1e-8)
        assert entry["eigenvalue"] == pytest.approx(values[-rank], rel=1e-8)
    controls = np.array([trials["control 1"]["vector"], trials["control 2"]["vector"]])
    np.testing.assert_allclose(np.linalg.norm(controls, axis=1), 1, atol=1e-12)
    assert abs(controls[0] @ controls[1]) < 0.6
    assert trials["control 1"]["eigenvalue"] == pytest.approx(controls[0] @ mean @ controls[0])


def test_rows_go_equally_far_and_no_further_than_asked(study):
    G, D, written_key = gg.load("digits-dcgan"), gg.distances.mse(), full_key(study)
    references = np.array(written_key["references"])
    field = MetricField.read(study / "field.zarr")
    assert np.abs(references[:, None] - field.codes).max(axis=2).min() > 0.1  # none of the mean's own codes
    entries = list(written_key["trials"].values())
    distances = np.array([entry["distances"] for entry in entries])  # (trials, rows, columns)
    assert distances.shape == (4, 5, 5)
    for entry, row, column in ((entries[0], 0, 0), (entries[2], 4, 3)):
        moved = references[row] + entry["steps"][row][column] * np.array(entry["vector"])
        squared = float(D(G(references[row]), G(moved)))
        assert entry["distances"][row][column] == pytest.approx(squared**0.5, rel=1e-3)
    ends = distances[:, :, [0, -1]]
    np.testing.assert_allclose(ends, np.broadcast_to(np.median(ends, axis=(0, 2), keepdims=True), ends.shape), rtol=0.1)
    np.testing.assert_allclose(distances[:, :, [1, 3]], 0.5 * ends, rtol=0.15)
    assert distances[:, :, 2].max() < 1e-6
    radius = 64**0.5  # of the prior N(0, I) in 64 dimensions
    longest = np.abs([entry["steps"] for entry in entries]).max()
    assert 0.5 * PLAN.reach * radius < longest <= 1.05 * PLAN.reach * radius


def test_equal_latent_steps(tmp_path):
    make_study(replace(PLAN, equal="latent", reach=0.25, controls=1, ranks=(1,), codes=1), tmp_path)
    steps = np.array([entry["steps"] for entry in full_key(tmp_path)["trials"].values()])
    np.testing.assert_allclose(steps, np.broadcast_to(np.linspace(-1, 1, 5) * steps.max(), steps.shape), atol=1e-12)
    assert steps.max() == pytest.approx(2, rel=0.05)


def test_pictures_show_the_samples(study):
    G, written_key = gg.load("digits-dcgan"), full_key(study)
    references = np.array(written_key["references"])
    for trial in content_of(study / "study.html")["trials"]:
        entry = written_key["trials"][trial["id"]]
        row = strip(trial["images"][1])
        assert row.shape == (64 + 4, 5 * (64 + 4), 3)
        for column in (0, 2):
            code = references[1] + entry["steps"][1][column] * np.array(entry["vector"])
            expected = 255 * displayable(G(code), G.output_range).repeat(2, axis=0).repeat(2, axis=1)
            shown = row[2:-2, column * 68 + 2 : column * 68 + 66]
            assert np.abs(shown - expected).max() <= 1


def test_pictures_are_reduced_or_enlarged_and_clipped_to_the_range():
    samples = np.stack([np.full((10, 10, 1), -3.0), np.zeros((10, 10, 1)), np.full((10, 10, 1), 3.0)])
    row = strip(picture_row(samples, (-1, 1), 35))
    assert row.shape == (34, 3 * 34, 3)
    assert [int(row[17, 17 + 34 * i, 0]) for i in range(3)] == [0, 128, 255]
    assert strip(picture_row(np.zeros((3, 40, 20, 3)), (-1, 1), 20)).shape == (24, 3 * 14, 3)


# What is hidden


def test_the_page_does_not_tell_axes_from_controls(study):
    page, written_key = (study / "study.html").read_text(), full_key(study)
    content = content_of(study / "study.html")
    assert set(content) == {"format", "rows", "columns", "title", "contact", "trials", "study"}
    assert {frozenset(trial) for trial in content["trials"]} == {frozenset({"id", "images"})}
    ids = [trial["id"] for trial in content["trials"]]
    assert ids == sorted(ids)
    assert set(ids) == set(written_key["trials"])
    assert [written_key["trials"][name]["label"] for name in ids] != ["axis 1", "axis 3", "control 1", "control 2"]
    for trial in content["trials"]:
        page = page.replace(json.dumps(trial["images"]), "")
    for word in ("axis", "axes", "control", "eigen", "random direction", "dcgan", "mse", "geomgan analyze"):
        assert word not in page.lower().replace("aria-controls", ""), word
    assert all(Image.open(io.BytesIO(base64.b64decode(x))).info == {} for t in content["trials"] for x in t["images"])


def test_the_page_asks_nothing_of_a_network_and_escapes_its_texts():
    hostile = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    content = {
        "format": 1,
        "study": "0" * 16,
        "rows": 5,
        "columns": 3,
        "title": hostile,
        "contact": hostile,
        "trials": [],
    }
    page = study_page(content)
    assert "default-src 'none'" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("</script>") == 2


# The folder


def test_a_finished_study_is_left_alone_and_its_seed_gives_the_same(study, tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in study.iterdir()}
    make_study(PLAN, tmp_path)
    assert (tmp_path / "study.html").read_bytes() == (study / "study.html").read_bytes()
    (tmp_path / "study.html").unlink()
    make_study(PLAN, tmp_path)
    assert (tmp_path / "study.html").read_bytes() == (study / "study.html").read_bytes()
    monkeypatch.setattr("geomgan.study.design.metric_field", lambda *_, **__: pytest.fail("computed again"))
    _, page = make_study(PLAN, study)
    assert page == study / "study.html"
    assert {path: path.stat().st_mtime_ns for path in study.iterdir()} == before
    with pytest.raises(gg.StoreError, match="other settings"):
        make_study(replace(PLAN, controls=3), study)
    (tmp_path / "study_key.json").write_text("{}")
    with pytest.raises(gg.StoreError, match="damaged"):
        make_study(PLAN, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "digit-dcgan"}, "Did you mean 'digits-dcgan'"),
        ({"distance": "mze"}, "Did you mean 'mse'"),
        ({"ranks": (1, 65)}, r"rank 65 does not exist; expected 1 to 64"),
        ({"ranks": (0,)}, "rank 0 does not exist"),
        ({"ranks": ()}, "at least one axis"),
        ({"ranks": (2, 2)}, "name an axis twice"),
        ({"controls": -1}, "controls is -1"),
        ({"controls": 500}, "502 questions are too many"),
        ({"codes": 0}, "codes is 0"),
        ({"columns": 4}, "columns is 4; expected odd"),
        ({"equal": "latents"}, "Did you mean 'latent'"),
        ({"reach": NAN}, "reach is nan"),
        ({"pixels": 1}, "pixels is 1"),
    ],
)
def test_mistakes_are_said_before_any_work(change, message, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        make_study(replace(PLAN, **change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def tone(params, z):
    return jnp.sin(params * z.sum() * jnp.arange(100.0))[:, None]


def test_sounds_are_refused(tmp_path, monkeypatch):
    audio = gg.Generator.from_function(tone, jnp.ones(()), 4, name="tones")
    monkeypatch.setattr("geomgan.zoo.load_generator", lambda _: audio)
    with pytest.raises(ValueError, match=r"tones makes samples of shape \(100, 1\); a study shows pictures"):
        make_study(replace(PLAN, model="tones"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ranks_are_read():
    assert parse_ranks("1, 2,5-8") == (1, 2, 5, 6, 7, 8)
    for text in ("", "1,", "a", "1-2-3", "-1", "1.5", "9" * 30):
        with pytest.raises(ValueError, match="is not a list of ranks"):
            parse_ranks(text)


# Answers are checked


def test_answers_are_read_in_the_order_of_the_key(key, tmp_path):
    assert key.labels == ("axis 1", "axis 3", "control 1", "control 2")
    assert key.is_axis.tolist() == [True, True, False, False]
    seen = lambda trial: answer(trial, seen=trial != key.trials[1], amount=10 * key.trials.index(trial))
    (person,) = read_answers(key, [written(tmp_path / "a.json", answers_of(key, " Zoë 1 ", seen))])
    assert person.name == "Zoë 1"
    assert person.seen.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(person.amount, [0, NAN, 20, 30])
    assert person.rows.tolist() == [[1, 0, 1, 0, 0], [0] * 5, [1, 0, 1, 0, 0], [1, 0, 1, 0, 0]]
    np.testing.assert_array_equal(person.difficulty, [2, NAN, 2, 2])
    assert person.position.tolist() == [4, 3, 2, 1]
    assert person.common == ("thicker", "", "thicker", "thicker")


def one(**fields):
    """The first answer with other fields; None leaves a field out."""

    def change(data):
        data["answers"][0] |= fields

    return change


def without(field, first=False):
    return lambda data: (data["answers"][0] if first else data).pop(field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(study="f" * 16), "study is 'ffffffffffffffff'.*belong to another study"),
        (without("study"), "study is None"),
        (without("participant"), "'participant' is missing"),
        (without("answers"), "'answers' is missing"),
        (lambda data: data.update(format=2), "format is 2; expected 1"),
        (lambda data: data.update(participant=""), "participant is ''; expected a text"),
        (lambda data: data.update(participant="a\x1b[31m"), r"participant is 'a\\x1b\[31m'; expected a text"),
        (lambda data: data.update(participant="x" * 65), "participant is .*1 to 64"),
        (lambda data: data.update(participant=["x"]), "participant is a list with 1 entries"),
        (lambda data: data.update(seed=-1), "seed is -1"),
        (lambda data: data.update(order=data["order"][:-1]), "order is not a list of all questions"),
        (lambda data: data.update(answers={}), "answers is an object with 0 entries"),
        (lambda data: data["answers"].pop(), "answers lack 1 of 4 questions"),
        (lambda data: data["answers"].append(data["answers"][0]), "answers is a list with 5 entries"),
        (lambda data: data["answers"].__setitem__(1, data["answers"][0]), r"answers\[1\].trial .* answered twice"),
        (lambda data: data["answers"].__setitem__(1, 3), r"answers\[1\] is 3; expected an object"),
        (one(trial="nowhere"), r"answers\[0\].trial is 'nowhere', which is no question"),
        (one(trial=[]), r"answers\[0\].trial is a list"),
        (without("difficulty", first=True), r"answers\[0\].difficulty is missing"),
        (one(change="yes"), r"answers\[0\].change is 'yes'; expected true or false"),
        (one(amount=101), r"answers\[0\].amount is 101; expected a whole number from 0 to 100"),
        (one(amount=True), r"answers\[0\].amount is True"),
        (one(amount=4.5), r"answers\[0\].amount is 4.5"),
        (one(rows=[1, 6]), r"answers\[0\].rows is a list with 2 entries; expected a list of rows from 1 to 5|whole"),
        (one(rows=[2, 2]), r"answers\[0\].rows is .* each at most once"),
        (one(rows=[[1]]), r"answers\[0\].rows is "),
        (one(similarity=0), r"answers\[0\].similarity is 0; expected a whole number from 1 to 9"),
        (one(difficulty="9"), r"answers\[0\].difficulty is '9'"),
        (one(common="  "), r"answers\[0\].common is '  '; expected a text of 1 to 500"),
        (one(common="x" * 501), r"answers\[0\].common is "),
        (one(common={"$gt": ""}), r"answers\[0\].common is an object with 1 entries"),
        (one(seconds=-1), r"answers\[0\].seconds is -1"),
        (one(seconds="1"), r"answers\[0\].seconds is '1'"),
        (one(change=False), r"answers\[0\].amount is 40; expected null, because no change was seen"),
    ],
)
def test_wrong_answers_are_refused_by_file_and_field(key, tmp_path, change, message):
    data = answers_of(key)
    change(data)
    path = written(tmp_path / "wrong.json", data)
    with pytest.raises(ValueError, match=rf"wrong\.json: .*{message}") as error:
        read_answers(key, [written(tmp_path / "right.json", answers_of(key, "p2")), path])
    assert "right.json" not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[1]", "a list with 1 entries; expected a JSON object"),
        ("[" * 100_000, "nested too deeply|is not JSON"),
        ('{"a": ' * 500 + "1" + "}" * 500, "study is None"),
        ('{"study": NaN}', "NaN is not a number"),
        ('{"study": 1, "study": 2}', "given twice"),
        ('{"study": %s}' % ("9" * 5000), "is not JSON"),
        (" " * (2**20 + 1), "larger than 1048576 bytes"),
        ("\x80", "is not JSON"),
        ("__import__('os').abort()", "is not JSON"),
    ],
)
def test_files_that_no_page_wrote_are_refused(key, tmp_path, text, message):
    path = tmp_path / "wrong.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"wrong\.json: .*({message})"):
        read_answers(key, [path])


def test_missing_files_and_wrong_keys_are_said(key, tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_answers(key, [tmp_path / "nowhere.json"])
    with pytest.raises(ValueError, match="at least one file"):
        read_answers(key, [])
    with pytest.raises(ValueError, match=r"key\.json: this is not an answers file; pass what participants downloaded"):
        read_answers(key, [written(tmp_path / "key.json", {"format": 1, "study": key.study, "trials": {}})])
    with pytest.raises(ValueError, match="'trials' is missing"):
        read_key(written(tmp_path / "answers.json", answers_of(key)))


def test_repeated_participants_are_detected(key, tmp_path):
    first = written(tmp_path / "first.json", answers_of(key, "Ada"))
    same_name = written(tmp_path / "second.json", answers_of(key, "ada ", session="other"))
    same_session = written(tmp_path / "third.json", answers_of(key, "Bob", session="of Ada"))
    for other, what in ((same_name, "participant 'ada'"), (same_session, "session 'of Ada'"), (first, "participant")):
        with pytest.raises(ValueError, match=rf"{other.name}: {what}.* is also that of .*first\.json"):
            read_answers(key, [first, other])


# Agreement

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
    tables = [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]]
    results = study_results(HAND, people_of(HAND, tables))
    measures = {measure.name: measure for measure in results.measures}
    np.testing.assert_allclose(measures["saw_change"].mean, [100, 50, 50])
    np.testing.assert_allclose(measures["amount"].mean, [70, 20, 5])
    np.testing.assert_allclose(measures["similarity"].mean, [8.5, 6, 3])
    np.testing.assert_allclose(measures["rows"].mean, [2, 1, 1])
    assert measures["similarity"].given.tolist() == [2, 1, 1]
    assert measures["amount"].axes[0] == pytest.approx(45)
    assert measures["amount"].difference[0] == pytest.approx(40)
    assert measures["amount"].p == pytest.approx(2 / 3)  # apart by 40; by 57.5 were axis 1 the control
    # of two participants one is drawn twice with probability 1/2: the ends are the participants' own values
    assert measures["amount"].axes[1:] == pytest.approx((40, 50))
    assert (measures["amount"].low[0], measures["amount"].high[0]) == (60, 80)
    assert measures["similarity"].difference == pytest.approx((4.25, 4, 4.25))  # undefined without p0
    agreement = {(a.name, a.level): a for a in results.agreements}
    assert agreement["saw_change", "nominal"].everywhere[0] == pytest.approx(
        krippendorff_alpha([[1, 1, 1], [1, 0, 0]], "nominal")
    )
    assert agreement["amount", "interval"].everywhere[0] == pytest.approx(
        krippendorff_alpha([[60, 40, 10], [80, 0, 0]], "interval")
    )
    assert agreement["rows", "nominal"].axes[0] == pytest.approx(
        krippendorff_alpha([[1, 0, 0, 0, 1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]], "nominal")
    )


def test_results_do_not_depend_on_the_order_and_follow_the_key_of_randomness(rng):
    tables = [[(1, rng.integers(100), rng.integers(1, 10)) for _ in range(3)] for _ in range(6)]
    people = people_of(HAND, tables)
    a, b = (study_results(HAND, people, jax.random.key(seed)) for seed in (1, 1))
    assert a.measures[1].axes == b.measures[1].axes
    other = study_results(HAND, people, jax.random.key(2))
    assert a.measures[1].axes != other.measures[1].axes
    assert a.measures[1].axes == pytest.approx(other.measures[1].axes, rel=0.1)
    low, high = a.agreements[2].everywhere[1:]
    assert low <= a.agreements[2].everywhere[0] <= high
    with pytest.raises(ValueError, match="at least one"):
        study_results(HAND, [])


def test_one_participant_has_no_interval_and_no_agreement():
    results = study_results(HAND, people_of(HAND, [[(1, 60, 8), (1, 40, 6), (0, 0, 0)]]))
    assert results.measures[1].mean.tolist() == [60, 40, 0]
    assert np.isnan(results.measures[1].axes[1:]).all()
    assert np.isnan(results.agreements[0].everywhere).all()


def test_files_hold_the_numbers_and_nothing_that_runs(tmp_path):
    tables = [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]]
    write_results(study_results(HAND, people_of(HAND, tables)), tmp_path)
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
    write_results(study_results(key, [person]), tmp_path)


# The command line


def test_commands(study, key, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    command = ["study", "digits-dcgan", "--distance", "mse", "--codes", "3", "--ranks", "1,3", "--controls", "2"]
    command += ["--columns", "5", "--seed", "5", "--pixels", "64", "--out", str(study)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "2 axes of digits-dcgan under mse are hidden among 2 random directions: 4 questions of 5 rows" in said
    assert f"keep {study / 'study_key.json'}" in said
    files = [written(tmp_path / f"{name}.json", answers_of(key, name)) for name in ("p1", "p2")]
    results = ["study-results", str(study / "study_key.json"), *map(str, files), "--out", str(tmp_path / "results")]
    assert main(results) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("2 participants")
    assert any(line.split()[:3] == ["axis", "3", "100"] for line in lines)
    assert "cannot give a p below 0.33" in "\n".join(lines)
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"results.json", "results.csv", "answers.csv"}
    assert main([*results[:2], str(files[0]), str(files[0])]) == 2
    assert "keep one of them" in capsys.readouterr().err
    assert main([*command[:2], "--ranks", "1-", "--out", str(tmp_path / "no")]) == 2
    assert "expected a text such as '1,2,5-8'" in capsys.readouterr().err


def test_plan_has_the_defaults_of_the_command_line():
    from geomgan.cli import _parser

    parsed, plan = vars(_parser().parse_args(["study", "m"])), StudyPlan("m")
    shared = set(parsed) & set(vars(plan)) - {"controls", "ranks"}
    assert len(shared) > 9
    assert {name: parsed[name] for name in shared} == {name: getattr(plan, name) for name in shared}
    assert plan.ranks == tuple(range(1, parsed["axes"] + 1))
    assert plan.controls == len(plan.ranks)
