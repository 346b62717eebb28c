"""Options of a conversion: what the file says, what the user says, what is assumed."""

from __future__ import annotations

import pytest

from geomgan.errors import OptionError
from geomgan.models.families import CHECKPOINTS
from weights_convert.modules import Part, StateDict
from weights_convert.options import Options, choice, flag, module_slope, number, positive, sentence, shown, whole

HELPS = {"slope": "of the leaky ReLU"}


def test_the_file_is_believed_before_the_user_and_both_before_what_is_usual():
    options = Options({"slope": "0.3"}, HELPS)
    assert options.ask("slope", number(0, 1), assumed=0.2) == 0.3
    assert options.ask("slope", number(0, 1), known=0.3, assumed=0.2) == 0.3
    assert options.ask("output", choice("tanh", "linear"), known="linear", assumed="tanh") == "linear"
    assert not options.assumed
    assert options.ask("output", choice("tanh", "linear"), assumed="tanh") == "tanh"
    assert options.assumed == {"output": "tanh"}
    with pytest.raises(OptionError, match=r"slope=0\.3, but the file says 0\.1\. Leave the option out"):
        options.ask("slope", number(0, 1), known=0.1)
    with pytest.raises(OptionError, match=r"does not say its slope\. Give --option slope=\.\.\. \(of the leaky ReLU\)"):
        Options({}, HELPS).ask("slope", number(0, 1))


def test_false_and_zero_are_said():
    options = Options({}, {})
    assert options.ask("tanh", flag, known=False, assumed=True) is False
    assert options.ask("slope", number(0, 1), known=0.0, assumed=0.2) == 0.0
    assert not options.assumed


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (whole(0, 9, 3), "1", [1, 1, 1]),
        (whole(0, 9, 3), "0,1,2", [0, 1, 2]),
        (flag, "True", True),
        (number(0, 1), "1e-3", 0.001),
        (positive, "1e-12", 1e-12),
        (choice("a", "b"), "b", "b"),
    ],
)
def test_readers(read, text, value):
    assert read("x", text) == value


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (whole(0, 9, 3), "1,2", "x='1,2'; expected 3 whole numbers from 0 to 9"),
        (whole(0, 9, 3), "1,2,10", "expected 3 whole"),
        (whole(0, 9, 3), "-1", "expected 3 whole"),
        (whole(0, 9, 3), "1,,2", "expected 3 whole"),
        (whole(0, 9, 3), "9" * 5000, "expected 3 whole"),
        (number(0, 1), "nan", "expected a number from 0 to 1"),
        (number(0, 1), "1e999", "expected a number"),
        (positive, "0", "expected a number"),
        (flag, "yes", "'true', 'false'"),
        (choice("a", "b"), "c", "x='c' is not known"),
    ],
)
def test_readers_refuse(read, text, says):
    with pytest.raises(OptionError, match=says):
        read("x", text)


def test_values_are_shown_as_they_are_given():
    assert [shown(x) for x in ([0, 1], 1e-5, True, "tanh", 3)] == ["0,1", "1e-05", "true", "tanh", "3"]
    assert sentence({}, "x") == ""
    assert "say: padding=0,1, slope=0.2. Where one is wrong" in sentence({"padding": [0, 1], "slope": 0.2}, "x")


def test_epsilon_and_slope_of_a_module():
    parts = {"bn": Part("BatchNorm2d", {"eps": 0.1}), "act": Part("LeakyReLU", {"negative_slope": 0.3})}
    options = Options({}, {})
    assert options.epsilon(StateDict({}, parts))("bn") == 0.1
    assert module_slope(StateDict({}, parts)) == 0.3
    assert module_slope(StateDict({}, {**parts, "b": Part("LeakyReLU", {"negative_slope": 0.1})})) is None
    assert not options.assumed
    assert options.epsilon({})("bn") == 1e-5
    assert options.assumed == {"epsilon": 1e-5}


def test_every_option_has_a_help_of_words():
    for family, published in CHECKPOINTS.items():
        for option, text in published.options.items():
            assert option.isidentifier(), (family, option)
            assert len(text) > 5, (family, option)
