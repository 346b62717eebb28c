"""``geomgan export``: a stored field as the files of GAN-Geometry."""

from __future__ import annotations

import argparse

HELP = "write a stored metric field as GAN-Geometry's .npz files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("store", metavar="STORE", help="a folder that metric_field or `geomgan analyze` wrote (*.zarr)")
    parser.add_argument("out", metavar="OUT_DIR", help="folder for the files")


def run(arguments: argparse.Namespace) -> int:
    """Export, and print how many codes there are."""
    from geomgan.fields.export import export_npz

    written, skipped = export_npz(arguments.store, arguments.out)
    left = f" {skipped} codes are failed or not computed yet." if skipped else ""
    print(f"{written} codes are in {arguments.out}.{left}")
    return 0
