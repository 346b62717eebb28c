"""`geomgan doctor`: what it says is measured, and one part that is broken hides no other."""

import re
import tomllib

import pytest

from geomgan.backend import PRECISIONS, format_of
from geomgan.cli import doctor, main
from tests.fixtures import ROOT


def test_it_says_what_each_precision_really_is(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    found = dict(re.findall(r"^  (\w+) +.*metric off by (\S+) here", said, re.MULTILINE))
    assert tuple(found) == PRECISIONS
    for name, error in found.items():
        assert format_of(name).error / 100 < float(error) < format_of(name).error
    assert float(found["tf32"]) > 100 * float(found["highest"])
    assert str(tmp_path / "home") in said
    assert re.search(r"^  here +.*digits-dcgan", said, re.MULTILINE)
    assert said.endswith("Nothing is wrong.\n")


def test_what_is_broken_is_said_with_its_fix_and_hides_nothing(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(doctor, "precisions", lambda: iter([doctor.Finding("tf32", "off by 1", "report this")]))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "stopped           OptionError: GEOMGAN_HOME is" in said
    assert re.search(r"off by 1\n +-> report this", said)
    assert "[geodesics]" in said
    assert said.endswith("3 of these lines say what to mend (->).\n")  # the home, the models in it, the precision


@pytest.mark.parametrize("name", doctor.EXTRAS)
def test_an_extra_that_is_missing_says_what_it_would_give(name, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    (line,) = (finding.text for finding in doctor.extras() if finding.name == f"[{name}]")
    assert line == f"missing: pip install 'geomgan[{name}]' for {doctor.EXTRAS[name][1]}"


def test_every_extra_of_users_is_known():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    of_developers = {"test", "test-no-torch", "docs", "cuda13"}
    assert set(extras) - of_developers == set(doctor.EXTRAS)
