"""``geomgan convert``: as ``python -m weights_convert``."""

from __future__ import annotations

from weights_convert.__main__ import add_arguments, run

__all__ = ["HELP", "add_arguments", "run"]

HELP = "convert a published checkpoint (convert --help lists the families, convert FAMILY --help its options)"
