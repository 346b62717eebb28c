"""What JAX says of functions without derivatives, said with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geomgan.errors import GeomganError, OptionError

DIFFERENCES = "Take hvp='finite-difference', which needs function values only"
_SAID = (  # by JAX
    "callbacks do not support JVP",
    "can't apply forward-mode",
    "Reverse-mode differentiation does not work",
    "Differentiation rule for",
    "Transpose rule",
)


@contextmanager
def needs_derivatives(fix: str = DIFFERENCES) -> Iterator[None]:
    """Traces of derivatives: where a function has none, an ``OptionError`` that ends with ``fix``."""
    try:
        yield
    except GeomganError:
        raise
    except (NotImplementedError, TypeError, ValueError) as error:
        if not any(said in str(error) for said in _SAID):
            raise
        raise OptionError(
            f"the generator or the distance has no derivatives ({str(error).splitlines()[0].partition('. ')[0]}); "
            f"expected a function that JAX can differentiate. {fix}."
        ) from error
