"""The checks of the site's build, on pages and packages that are wrong on purpose; `make docs` builds the real one."""

from __future__ import annotations

import re
import textwrap
from argparse import ArgumentParser
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import geomgan as gg
from geomgan.cli import COMMANDS
from tests.fixtures import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HERE = find_spec("mkdocs") is not None and find_spec("griffe") is not None
needs_mkdocs = pytest.mark.skipif(not HERE, reason="needs MkDocs: `make docs`, or pip install 'geomgan[docs]'")
RUN = {"README", "statistics", "inversion", "models", "own_generator", "training", "directions", "search"}
NOT_RUN = {  # and why
    "decoders": "models that have to be converted first",
    "precision": "a part of the page of a field",
    "scaling": "several hosts",
    "gpu": "a notebook on another machine",
}


@pytest.fixture
def hooks():
    return import_module("mkdocs_hooks")


@needs_mkdocs
def test_links_of_the_forge_are_links_of_the_site(hooks):
    text = (
        "[a](../models.md#x) [b](../../LICENSE) [c](../../README.md) [d](gone.md) [e](https://x.y/z.md) `[f](../q.md)`"
    )
    forge = f"{hooks.FORGE}/LICENSE"
    expected = f"[a](../models.md#x) [b]({forge}) [c](../index.md) [d](gone.md) [e](https://x.y/z.md) `[f](../q.md)`"
    assert hooks.of_site(text, "docs/coming_from/x.md", "coming_from/x.md") == expected
    assert hooks.of_site("[a](docs/models.md)", "README.md", "index.md") == "[a](models.md)"
    assert hooks.of_site("[a](docs/versions.md)", "SECURITY.md", "security.md") == "[a](versions.md)"


@needs_mkdocs
def test_a_function_of_arrays_says_shapes(hooks, tmp_path):
    import griffe

    (tmp_path / "wrong.py").write_text(
        textwrap.dedent('''
            """Wrong."""

            def bare(codes: np.ndarray) -> float:
                """Of codes."""

            def untyped(z: Any) -> float:
                """Of a code (see above)."""

            def shaped(codes: np.ndarray) -> float:
                """Of ``codes (n, d)``."""

            def number(z: Any, key: jax.Array) -> jax.Array:
                """Of ``z (d,)``, as ``()``."""

            def other(key: jax.Array, path: str) -> str:
                """Draws something."""

            class Result:
                """A result.

                Attributes:
                    values: of something.
                """

                values: np.ndarray
        ''')
    )
    module = griffe.load("wrong", search_paths=[str(tmp_path)])
    wrong = [name for name in module.members if hooks.without_shapes(module, name)]
    assert wrong == ["bare", "untyped", "Result"]


@needs_mkdocs
def test_every_room_has_its_public_names_in_the_reference(hooks):
    offered = {name for name in gg.__all__ if f"geomgan.{name}" not in hooks.ROOMS} | {"explore", "report"}
    assert set(hooks.main_names()) == offered
    for room in hooks.ROOMS[1:]:
        module = import_module(room)
        assert set(hooks.public_names(room)) == set(getattr(module, "__all__", hooks.public_names(room)))
        assert hooks.reference(room).count(":::") == 1 + len(hooks.public_names(room))
    rooms = {f"geomgan.{name}" for name in gg.__all__} & {f"geomgan.{name}" for name in gg._ROOMS}
    assert rooms < set(hooks.ROOMS)


def test_every_example_of_the_documentation_is_run_or_says_why_not():
    elsewhere = (ROOT / "docs" / "gallery").glob("*.md")  # tests/test_gallery.py runs each
    shown = {path.stem for path in {*PAGES} - {*elsewhere} if re.search(r"^```python$", path.read_text(), re.MULTILINE)}
    tested = (ROOT / "tests" / "test_docs.py").read_text()
    found = set(re.findall(r'"(\w+)\.md"', tested)) | {name for name in RUN if f'"{name}"' in tested}
    assert shown <= found | set(NOT_RUN)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_names_in_the_documentation_are_there(page):
    """``gg.room.name`` and options of ``geomgan COMMAND`` that a page tells of."""
    text = page.read_text()
    names = set(re.findall(r"\bgg((?:\.[A-Za-z_]\w*)+)", text))
    missing = []
    for name in sorted(names):
        try:
            reduce(getattr, name[1:].split("."), gg)
        except AttributeError:
            missing.append(f"gg{name}")
    assert missing == []
    commands = "\n".join(re.findall(r"^```\n.*?^```$|`geomgan [^`]*`", text, re.MULTILINE | re.DOTALL))
    for command, rest in re.findall(r"^`?geomgan ([a-z-]+)([^\n#`]*)", commands, re.MULTILINE):
        assert command in COMMANDS, f"geomgan {command}"
        parser = ArgumentParser(conflict_handler="resolve")
        COMMANDS[command].add_arguments(parser)
        known = set(parser._option_string_actions)
        if command not in ("convert",):  # its families have their own
            assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, f"geomgan {command}{rest}"


def test_the_citation_has_the_version():
    version = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    project = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert version == project
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_workflows_call_targets_that_are_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        text = path.read_text()
        called = set(re.findall(r"make ([a-z-]+)", text)) | set(re.findall(r"target: ([a-z-]+)", text))
        assert called, path.name
        assert called <= set(targets), path.name


def test_files_of_contributing_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = {name for name in re.findall(r"`([\w./-]+/[\w./-]*)`", text) if not re.search("NAME|/$", name)}
    assert [name for name in sorted(named) if not Path(ROOT, name).exists()] == []
