"""Options that several commands share, declared once."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = "a name of `geomgan models`, or a converted model's folder"
DISTANCES = "lpips-alex, lpips-vgg, lpips-squeeze, mse, euclidean, gaussian, ssim, ms-ssim, digit-features, spectrogram"
BY_NAME = ("space", "class_index", "truncation", "layers_range", "alpha", "resolution")


def model(parser: argparse.ArgumentParser) -> None:
    """``MODEL``, and what the model's family offers: its space, class, truncation, ..."""
    parser.add_argument("model", metavar="MODEL", help=FOLDER)
    own = parser.add_argument_group("options of the model, where its family has them")
    own.add_argument("--space", help="of the codes: z, z+, w, w+, s, class, joint")
    own.add_argument("--class-index", metavar="CLASS", type=value, help="number or ImageNet name of the class")
    own.add_argument("--truncation", metavar="PSI", type=value, help="of the prior, or of its mapped codes")
    own.add_argument("--layers-range", metavar=("A", "B"), nargs=2, type=int, help="style layers that codes drive")
    own.add_argument("--alpha", type=value, help="weight of the last scale of a growing network")
    own.add_argument("--resolution", metavar="PIXELS", type=int, help="of a growing network")
    own.add_argument(
        "--option", metavar="KEY=VALUE", action="append", type=key_and_value, help="any other, such as noise=0"
    )


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`model` was given, as ``geomgan.load`` takes it."""
    given = {name: getattr(arguments, name) for name in BY_NAME if getattr(arguments, name) is not None}
    if "layers_range" in given:
        given["layers"] = tuple(given.pop("layers_range"))
    return given | dict(arguments.option or ())


def model_words(given: Mapping[str, Any]) -> list[str]:
    """The options of a model as words of a command: what :func:`model_options` reads as ``given``."""
    words = []
    for name, entry in given.items():
        parts = [str(part) for part in entry] if isinstance(entry, tuple) else [str(entry)]
        if name == "layers":
            words += ["--layers-range", *parts]
        elif name in BY_NAME:
            words += [f"--{name.replace('_', '-')}", ",".join(parts)]
        else:
            words += ["--option", f"{name}={','.join(parts)}"]
    return words


def distance(parser: argparse.ArgumentParser, default: str | None = "lpips-alex") -> None:
    """The distance and what it takes; by default None it is that of :func:`own_distance`."""
    own = " (default: gaussian for a decoder with a variance, else euclidean)" if default is None else ""
    parser.add_argument("--distance", default=default, help=f"squared distance between samples: {DISTANCES}{own}")
    parser.add_argument("--resize", type=int, help="interpolate samples to this side before the network of a distance")
    parser.add_argument("--sample-rate", metavar="HERTZ", type=float, help="of audio, for spectrogram")


def own_distance(arguments: argparse.Namespace, G: Any) -> tuple[str, Any]:
    """``--distance`` by its name, and the distance: of samples themselves, unless it was given."""
    import jax

    from geomgan.distances.named import named_distance
    from geomgan.generators import Gaussian
    from geomgan.generators.generator import output_of

    output = jax.eval_shape(output_of, G, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))
    name = arguments.distance or ("gaussian" if isinstance(output, Gaussian) else "euclidean")
    return name, named_distance(name, arguments.resize, sample_rate=arguments.sample_rate)


def opened(arguments: argparse.Namespace) -> str:
    """The Python expression that gives the generator."""
    given = [repr(arguments.model), *(f"{name}={x!r}" for name, x in model_options(arguments).items())]
    return f"geomgan.load({', '.join(given)})"


def command(name: str, arguments: argparse.Namespace, *names: str) -> str:
    """The command as it was given: the model and its options, and those that ``names`` lists."""
    words = ["geomgan", name, arguments.model, *model_words(model_options(arguments))]
    for option in names:
        x = getattr(arguments, option)
        flag = f"--{option.replace('_', '-')}"
        if isinstance(x, bool):
            words += [flag] if x else [f"--no-{flag[2:]}"]
        elif x is not None:
            words += [flag, *map(str, x)] if isinstance(x, list) else [flag, str(x)]
    return shlex.join(words)


def codes(parser: argparse.ArgumentParser, what: str = "number of latent codes") -> None:
    """How many codes."""
    parser.add_argument("--codes", type=int, default=16, help=what)


def seed(parser: argparse.ArgumentParser, what: str = "of the codes") -> None:
    """The seed of all randomness."""
    parser.add_argument("--seed", type=int, default=0, help=what)


def memory(parser: argparse.ArgumentParser) -> None:
    """How much memory a device may use."""
    parser.add_argument("--memory", help="what one device may use, such as 8GB (default: a share of what is free)")


def precision(parser: argparse.ArgumentParser) -> None:
    """What tangents are multiplied in."""
    parser.add_argument(
        "--precision",
        default="highest",
        help="of products of tangents: highest (float32, the default), high, tf32 or bf16; see docs/precision.md",
    )


def out(parser: argparse.ArgumentParser, what: str) -> None:
    """The folder of the results."""
    parser.add_argument("--out", help=what)


def out_folder(arguments: argparse.Namespace, suffix: str = "") -> Path:
    """``--out``, or a folder that is named after the model, its options and the distance."""
    if arguments.out:
        return Path(arguments.out)
    shown = [str(x).replace("/", "-").replace(" ", "") for x in model_options(arguments).values()]
    return Path("runs") / "-".join([Path(arguments.model).name, *shown, arguments.distance, *filter(None, [suffix])])


@contextlib.contextmanager
def stored_in_out() -> Iterator[None]:
    """What is kept lies in the folder ``--out``: messages that tell to name another say so."""
    from geomgan.errors import StoreError
    from geomgan.runs.settings import ANOTHER

    try:
        yield
    except StoreError as error:
        raise StoreError(str(error).replace(ANOTHER, f"{ANOTHER} with --out")) from error


def value(text: str) -> Any:
    """A value of an option as Python has it: a whole number, a number, several of them (``2,6``), else the text."""
    if "," in text:
        return tuple(value(part.strip()) for part in text.split(","))
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def key_and_value(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``."""
    key, equals, entry = text.partition("=")
    if not (equals and key.strip()):
        raise argparse.ArgumentTypeError(f"{text!r}; expected KEY=VALUE")
    return key.strip().replace("-", "_"), value(entry.strip())
