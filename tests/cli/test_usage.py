"""What is asked before anything is computed answers at once."""

import sys

import pytest

from geomgan.cli import COMMANDS, main
from tests.child import python

HEAVY = ("jax", "flax", "numpy", "scipy", "matplotlib")
ASKED = [
    *(["--help"], ["--version"], [], ["nope"], ["analyze"], ["analyze", "digits-dcgan", "--codes", "many"]),
    *(["plan", "x", "--layers-range", "1"], ["study", "x", "--option", "space"], ["convert", "dcgan-tutorial"]),
    *([name, "--help"] for name in COMMANDS),
]


def test_help_and_usage_errors_import_nothing_that_takes_long():
    code = f"""
import contextlib, io, sys
from geomgan.cli import main
for asked in {ASKED}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(asked)
        except SystemExit as end:
            status = end.code
    print(status, [name for name in {HEAVY} if name in sys.modules])
"""
    fine = {"--help", "--version"}
    assert python(code).splitlines() == [f"{0 if fine & set(asked) else 2} []" for asked in ASKED]


@pytest.mark.parametrize("module", ["geomgan", "geomgan.cli"])
def test_the_package_and_its_command_line_can_be_run(module):
    run = f"import runpy, sys; sys.argv = ['geomgan', '--version']; runpy.run_module({module!r}, run_name='__main__')"
    assert python(run).startswith("geomgan ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_its_defaults_and_no_empty_ones(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert not [empty for empty in ("None", "[]", "False", "''") if f"(default: {empty})" in shown]
    sixteen = ("analyze", "discover", "improvement", "plan", "rank", "study", "traverse")  # of --codes, --segments, ...
    assert ("(default: 16)" in shown) == (name in sixteen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "x", "--codes", "many"], "argument --codes: invalid int value: 'many'"),
        (["plan", "x", "--option", "space"], "argument --option: 'space'; expected KEY=VALUE"),
        (["plan", "x", "--layers-range", "1"], "argument --layers-range: expected 2 arguments"),
        (["analyse", "x"], "'analyse' is no command. Did you mean 'analyze'? `geomgan --help` lists them."),
    ],
)
def test_usage_errors_say_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_an_extra_that_is_missing_is_an_error_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["explore", "digits-dcgan"]) == 2
    assert capsys.readouterr().err.startswith("error: serving the explorer needs starlette")


def test_a_folder_whose_name_is_mistyped_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "my-faces").mkdir()
    (tmp_path / "my-faces" / "model.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", "my-face"]) == 2
    assert "Did you mean 'my-faces'" in capsys.readouterr().err
