"""Options that commands share: what a model's family offers reaches ``geomgan.load``."""

import argparse

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main, options


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
