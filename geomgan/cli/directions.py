"""What the commands share that move codes along directions: the file, the model in its space, the codes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geomgan.cli import options

if TYPE_CHECKING:
    from geomgan.directions import DirectionSet, Warps
    from geomgan.generators import Generator

FIRST = 8  # directions, unless they are named


def add_arguments(parser: argparse.ArgumentParser, *, or_warps: bool = False) -> None:
    """The model, the directions and the codes."""
    options.model(parser)
    how: dict[str, Any] = {"nargs": "?"} if or_warps else {}
    parser.add_argument("directions", metavar="DIRECTIONS", help="file of geomgan.directions.save", **how)
    parser.add_argument(
        "--name",
        action="append",
        help=f"of a direction, or its number; repeat it for more (default: the first {FIRST})",
    )
    parser.add_argument("--code", metavar="FILE", help=".npy of one code or several (default: codes of the prior)")
    options.codes(parser, "codes to draw from the prior")
    options.seed(parser, "of these codes")
    parser.add_argument("--kind", default="linear", help="of the paths: linear, or spherical with steps in radians")
    parser.add_argument("--centred", action="store_true", help="start all codes at the same coordinate of a direction")
    parser.add_argument("--transfer", action="store_true", help="also where directions are of another model or space")


def warps(parser: argparse.ArgumentParser) -> None:
    """Warps instead of directions, and how they are walked; names are those of WarpedGANSpace."""
    parser.add_argument("--pool", metavar="FOLDER", help="of latent codes (geomgan pool), instead of the prior's")
    parser.add_argument("--shift-steps", type=int, default=16, help="steps to each side")
    own = parser.add_argument_group("warps, instead of DIRECTIONS")
    own.add_argument("--warps", metavar="EXPERIMENT", help="folder of a training of warps, or a published experiment")
    own.add_argument("--paths", metavar="NUMBERS", type=options.value, help="such as 0,3,17 (default: all)")
    own.add_argument("--eps", type=float, default=0.2, help="length of a step, in latent units")
    own.add_argument("--shift-leap", type=int, default=1, help="every which step is a picture")


def opened_warps(arguments: argparse.Namespace) -> tuple[Generator, Warps, Any, tuple[str, ...]]:
    """The generator, the warps, and the codes ``(m, d)`` with their names."""
    from geomgan.errors import OptionError
    from geomgan.zoo import load_generator, load_warps

    if arguments.directions is not None:
        raise OptionError(f"both {arguments.directions} and --warps {arguments.warps} were given; expected one.")
    G = load_generator(arguments.model, **options.model_options(arguments))
    return G, load_warps(arguments.warps, G).warps, *_codes(arguments, G)


def _codes(arguments: argparse.Namespace, G: Generator) -> tuple[Any, tuple[str, ...]]:
    """The codes ``(m, d)``, of a pool, of a file, or of the prior, and their names."""
    import jax

    if getattr(arguments, "pool", None):
        from geomgan.zoo import load_pool

        pool = load_pool(arguments.pool, G.latent_dim)
        return pool.codes, pool.names
    if arguments.code is None:
        codes = jax.device_get(G.sample_latent(jax.random.key(arguments.seed), arguments.codes))
    else:
        codes = _read(arguments.code, G)
    return codes, tuple(f"code{i:03d}" for i in range(len(codes)))


def path_numbers(arguments: argparse.Namespace) -> tuple[int, ...] | None:
    """``--paths``, as numbers."""
    from geomgan.errors import OptionError

    given = arguments.paths if isinstance(arguments.paths, tuple | None) else (arguments.paths,)
    if given is not None and not all(isinstance(k, int) for k in given):
        raise OptionError(f"paths={','.join(map(str, given))}; expected numbers with commas between, such as 0,3,17.")
    return given


def results(arguments: argparse.Namespace) -> Path:
    """Where results of warps go, as published: in the experiment, by pool."""
    pool = Path(arguments.pool).name if arguments.pool else f"{Path(arguments.model).name}_seed{arguments.seed}"
    return Path(arguments.warps) / "results" / pool


def opened(arguments: argparse.Namespace) -> tuple[Generator, DirectionSet, Any]:
    """The generator in the space of the directions, those that are wanted, and the codes ``(m, d)``."""
    from geomgan.directions import load
    from geomgan.directions.fit import check_fits
    from geomgan.errors import OptionError
    from geomgan.zoo import load_generator

    if arguments.directions is None:
        raise OptionError("there are neither DIRECTIONS nor --warps EXPERIMENT; expected what is to be walked.")
    found = load(arguments.directions)
    own = options.model_options(arguments)
    if (found.space != "z" or any(found.layers)) and not arguments.transfer:
        own.setdefault("space", f"{found.space}+" if any(found.layers) else found.space)
    G = load_generator(arguments.model, **own)
    check_fits(found, G, transfer=arguments.transfer)
    names = arguments.name or range(min(FIRST, len(found)))
    found = found.select([_number(name) if name not in found.names else name for name in names])
    return G, found, _codes(arguments, G)[0]


def out_folder(arguments: argparse.Namespace, what: str) -> Path:
    """``--out``, or a folder that is named after the model and the directions."""
    if arguments.out:
        return Path(arguments.out)
    return Path("runs") / f"{Path(arguments.model).name}-{Path(arguments.directions).stem}-{what}"


def _number(name: Any) -> int | str:
    """A number as such; what is none stays a name, which the set will not know."""
    try:
        return int(name)
    except ValueError:
        return str(name)


def _read(file: str, G: Generator) -> Any:
    """Codes ``(m, d)`` of a file, which may hold one, several, or rows of ``w+``."""
    import numpy as np

    from geomgan.errors import StoreError, check_codes, reading

    with reading(file, "Write it with numpy.save(file, codes).", found="is no file of codes"):
        codes = np.load(file, allow_pickle=False)
        if not isinstance(codes, np.ndarray):
            raise ValueError("it holds several arrays")
    if codes.size % G.latent_dim or not codes.size:
        raise StoreError(f"{file} holds an array of shape {codes.shape}; expected codes of {G.latent_dim} numbers.")
    return check_codes(codes.reshape(-1, G.latent_dim).astype(np.float32), G.latent_dim)
