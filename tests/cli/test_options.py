"""Options that commands share: what a model's family offers reaches ``geomgan.load``."""

import argparse
import json

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main, options
from geomgan.models.folder import write_model
from tests.generators.test_style_spaces import model


def parsed(*words):
    parser = argparse.ArgumentParser()
    options.model(parser)
    options.distance(parser)
    options.out(parser, "")
    return parser.parse_args(["stylegan2", *words])


@pytest.mark.parametrize(
    ("text", "value"),
    [("145", 145), ("0.7", 0.7), ("-1", -1), ("goldfish", "goldfish"), ("w+", "w+"), ("2,6", (2, 6)), ("1e-3", 0.001)],
)
def test_values_are_numbers_where_they_can_be(text, value):
    assert options.value(text) == value
    assert type(options.value(text)) is type(value)


def test_options_are_those_of_load():
    words = ["--space", "w+", "--truncation", "0.7", "--class-index", "goldfish", "--layers-range", "2", "6"]
    given = options.model_options(parsed(*words, "--option", "truncation-cutoff=8", "--option", "noise=0"))
    assert given == {
        **{"space": "w+", "truncation": 0.7, "class_index": "goldfish", "layers": (2, 6)},
        **{"truncation_cutoff": 8, "noise": 0},
    }
    assert options.model_options(parsed()) == {}


def test_the_folder_tells_runs_of_one_model_apart():
    assert str(options.out_folder(parsed())) == "runs/stylegan2-lpips-alex"
    assert str(options.out_folder(parsed("--space", "w", "--distance", "mse"), "study")) == "runs/stylegan2-w-mse-study"
    assert str(options.out_folder(parsed("--out", "here"), "study")) == "here"


@pytest.mark.parametrize("command", ["plan", "analyze", "study"])
def test_the_family_answers_to_options_that_it_does_not_have(command, tmp_path, capsys):
    out = [] if command == "plan" else ["--out", str(tmp_path / "out")]
    assert main([command, "digits-dcgan", "--space", "w", *out]) == 2
    assert capsys.readouterr().err == "error: digits-dcgan takes no options, got space. Leave it out.\n"
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def stylegan(tmp_path_factory):
    """The folder of a small StyleGAN2."""
    config, params = model(features=(6, 5, 4, 3))
    card = {"family": "stylegan2", "config": config, "output_range": [-1.0, 1.0]}
    return write_model(tmp_path_factory.mktemp("models") / "small", card, params)


OWN = ["--space", "w", "--truncation", "0.5", "--layers-range", "0", "4"]
LOADED = {"space": "w", "truncation": 0.5, "layers": (0, 4)}


def test_a_plan_in_another_space(stylegan, capsys):
    assert main(["plan", str(stylegan), "--space", "w+", "--distance", "mse", "--codes", "3"]) == 0
    assert "3 of dimension 48" in capsys.readouterr().out
    assert main(["plan", str(stylegan), "--space", "v", "--distance", "mse"]) == 2
    assert "--space v is not known" in capsys.readouterr().err


def test_an_analysis_in_another_space(stylegan, tmp_path):
    command = ["analyze", str(stylegan), *OWN, "--distance", "mse", "--codes", "3", "--top", "2", "--no-layers"]
    assert main([*command, "--no-control", "--out", str(tmp_path)]) == 0
    field, G = gg.MetricField.read(tmp_path / "field.zarr"), gg.load(stylegan, **LOADED)
    g = gg.metric_tensor(G, gg.distances.mse(), field.codes[1])
    np.testing.assert_allclose(field.tensors[1], g, atol=1e-5 * float(g.max()))
    np.testing.assert_allclose(field.codes, G.sample_latent(jax.random.key(0), 3), rtol=1e-6)
    assert " ".join(OWN) in (tmp_path / "report.html").read_text()


def test_a_study_in_another_space(stylegan, tmp_path):
    command = ["study", str(stylegan), *OWN, "--distance", "mse", "--codes", "2", "--axes", "1", "--columns", "3"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    key = json.loads((tmp_path / "study_key.json").read_text())
    assert key["plan"]["options"] == LOADED | {"layers": [0, 4]}
    codes = gg.MetricField.read(tmp_path / "field.zarr").codes
    assert codes.shape == (2, 6)
    assert np.abs(codes - np.mean(codes, axis=0)).max() > 0
