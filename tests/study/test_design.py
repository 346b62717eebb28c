"""The study without a browser: what is computed, what is hidden, and the commands."""

import argparse
import base64
import io
import json
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main
from geomgan.cli.study import add_arguments, make_study
from geomgan.fields import MetricField
from geomgan.plot.images import displayable
from geomgan.study import StudyPlan, parse_ranks
from geomgan.study.page import picture_row, study_page
from tests.study import PLAN, answers_of, written


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
    with pytest.raises(gg.StoreError, match=r"another run\. controls: stored \d, now 3\. The study may have answers"):
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
        ({"reach": float("nan")}, "reach is nan"),
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


def test_options_of_the_model_are_in_the_plan_and_older_keys_have_none():
    assert "options" not in PLAN.contents()
    options = {"space": "w", "layers": (2, 6)}
    assert replace(PLAN, options=options).contents()["options"] == {"space": "w", "layers": [2, 6]}


def test_ranks_are_read():
    assert parse_ranks("1, 2,5-8") == (1, 2, 5, 6, 7, 8)
    for text in ("", "1,", "a", "1-2-3", "-1", "1.5", "9" * 30):
        with pytest.raises(ValueError, match="is not a list of ranks"):
            parse_ranks(text)


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
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parsed, plan = vars(parser.parse_args(["m"])), StudyPlan("m")
    shared = set(parsed) & set(vars(plan)) - {"controls", "ranks"}
    assert len(shared) > 9
    assert {name: parsed[name] for name in shared} == {name: getattr(plan, name) for name in shared}
    assert plan.ranks == tuple(range(1, parsed["axes"] + 1))
    assert plan.controls == len(plan.ranks)
