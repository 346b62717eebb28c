"""``python -m tests.gpu``: the checks of this folder without pytest, on whatever JAX computes on."""

import tempfile
import traceback
from pathlib import Path
from unittest import SkipTest

from benchmarks import bare


def main() -> int:
    missing = bare.stand_in()
    import jax

    from tests.gpu.checks import CHECKS, Here

    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}; stand-ins: {', '.join(missing) or 'none'}")
    failed = 0
    for name, check in CHECKS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = f"passed: {check(Here(Path(folder), jax.default_backend() != 'cpu'))}"
            except SkipTest as reason:
                outcome = f"skipped: {reason}"
            except Exception as error:
                traceback.print_exc()
                outcome, failed = f"FAILED: {error}", failed + 1
        print(f"{name.replace('_', ' ')}: {outcome}", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
