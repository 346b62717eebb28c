"""``geomgan export-weights``: the weights of any file that is read as a ``.safetensors`` file."""

from __future__ import annotations

import argparse

HELP = "write the weights of a checkpoint, or of a converted model, as a .safetensors file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "source", metavar="FILE", help="a checkpoint, the index of its shards, or the folder of a converted model"
    )
    parser.add_argument("out", metavar="OUT.safetensors", help="the file to write; one that is there is replaced")
    parser.add_argument("--key", metavar="KEY", help="of the network, where a checkpoint or model has several")


def run(arguments: argparse.Namespace) -> int:
    """Export, and print how much there is, and what is in the file twice."""
    from weights_convert.export import export_weights

    done = export_weights(arguments.source, arguments.out, arguments.key)
    print(f"{done.tensors} tensors ({done.bytes / 1e6:.1f} MB) are in {done.path}.")
    if done.repeated:
        shown = ", ".join(f"{name} = {owner}" for name, owner in list(done.repeated.items())[:4])
        print(f"{len(done.repeated)} of them are shared, and written once for each name: {shown}.")
    return 0
