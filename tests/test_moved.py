"""Old names are found, and say where they are now."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import geomgan as gg
from geomgan.moved import MODULES, NAMES
from tests.child import python

OF_CEEFB5B = json.loads((Path(__file__).parent / "public_names_of_ceefb5b.json").read_text())


@pytest.mark.parametrize("old", MODULES)
def test_a_module_that_moved_warns_and_has_the_names_of_the_new(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"{old} moved to {' or '.join(MODULES[old])}; .* this version only"):
        module = import_module(old)
    for new in map(import_module, MODULES[old]):
        for name in (name for name in vars(new) if not name.startswith("_")):
            assert hasattr(module, name)
    with pytest.raises(AttributeError, match=f"'{old}' moved to {' and '.join(MODULES[old])}, which have no 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize(("package", "name"), [(package, name) for package in NAMES for name in NAMES[package]])
def test_a_name_that_moved_warns_and_is_the_same(package, name, monkeypatch):
    new, module = NAMES[package][name], import_module(package)
    monkeypatch.delitem(vars(module), name, raising=False)  # a module of that name, once it is imported
    with pytest.warns(DeprecationWarning, match=f"{package}.{name} moved to {new}.{name}; ") as caught:
        value = getattr(module, name)
    assert value is getattr(import_module(new), name)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("package", OF_CEEFB5B)
def test_what_was_public_before_the_move_is_importable(package):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = import_module(package)
        assert [name for name in OF_CEEFB5B[package] if not hasattr(found, name)] == []


def test_the_warning_points_at_the_line_that_imports():
    code = """
import warnings
warnings.simplefilter("always")
warnings.showwarning = lambda message, category, name, line, *_: print(category.__name__, name, line)
exec(compile("import geomgan\\n\\nimport geomgan.files\\nfrom geomgan.metric import eigenpairs", "mine.py", "exec"))
"""
    shown = [line for line in python(code).splitlines() if line.startswith("DeprecationWarning mine.py")]
    assert sorted(set(shown)) == ["DeprecationWarning mine.py 3", "DeprecationWarning mine.py 4"]


def test_a_function_is_called_though_a_module_of_its_name_was_imported():
    code = "import geomgan.metric.eigenpairs\nfrom geomgan.metric import eigenpairs\nimport numpy as np\n"
    assert python(f"{code}print(*eigenpairs(np.diag([1.0, 2.0])).values)") == "2.0 1.0"


def test_packages_give_modules_that_moved_as_attributes(monkeypatch):
    monkeypatch.delitem(sys.modules, "geomgan.files", raising=False)
    monkeypatch.delattr(gg, "files", raising=False)
    with pytest.warns(DeprecationWarning, match="geomgan.files moved to geomgan.runs.files"):
        assert gg.files.write_whole is import_module("geomgan.runs.files").write_whole
    with pytest.raises(AttributeError, match=r"module 'geomgan\.metric' has no attribute 'nothing'"):
        _ = gg.metric.nothing
