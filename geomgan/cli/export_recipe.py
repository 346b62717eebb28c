"""``geomgan export-recipe``: the lines of Python that bring a network of PyTorch to a file that is converted."""

from __future__ import annotations

import argparse

HELP = "print the few lines that export a network of your own from PyTorch, for `geomgan convert torch-export`"
RECIPE = """\
# In PyTorch 2.9 or later, where `net` is your network and a code is the first thing that it takes.
import json, torch

net = net.eval().float().cpu()
inputs = (torch.randn({shape}),)  # one code, and what else net takes: (torch.randn({shape}), torch.tensor([3]))
sample = net(*inputs)  # of several results the one that is the sample, net(*inputs)[0]
example = json.dumps({{"inputs": [x.tolist() for x in inputs], "sample": sample.tolist()}})
torch.export.save(torch.export.export(net, inputs), "net.pt2", extra_files={{"geomgan.json": example}})

# Then, with or without PyTorch:  geomgan convert torch-export net.pt2 my-model
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "shape", nargs="?", default="1x128", metavar="SHAPE", help="of a batch of one code: 1x512, 1x32x8x8"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe."""
    from geomgan.errors import OptionError

    sides = arguments.shape.split("x")
    if sides[0] != "1" or not all(side.isdecimal() for side in sides) or len(sides) < 2:
        raise OptionError(f"SHAPE is {arguments.shape!r}; expected that of a batch of one code, such as 1x128.")
    print(RECIPE.format(shape=", ".join(sides)), end="")
    return 0
