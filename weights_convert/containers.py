"""Where in a file the tensors of a network lie: under which key, and behind which prefix of their names."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import StandIn
from weights_convert.modules import StateDict

DISCRIMINATORS = ("d", "D", "discriminator", "netD")  # keys of whole checkpoints
MAX_NAME = 256  # of a tensor
WRAPPERS = ("module.", "_orig_mod.")  # what data-parallel training and torch.compile put before all names
AVERAGED = re.compile(r"ema|avg|average|running|shadow", re.IGNORECASE)  # of two generators the one to use
GENERATES = re.compile(r"gen|netg|decoder|^g$|_g$|^g_", re.IGNORECASE)
OTHERS = re.compile(  # networks beside the generator in one module, by the first part of their names
    r"(net|model)?_?(d|e|q|dis\w*|critic\w*|enc\w*|lpips\w*|vgg\w*|perceptual\w*|\w*loss\w*)\d*", re.IGNORECASE
)
MAX_SHOWN = 8

Fits = Callable[[StateDict], StateDict | None]  # the tensors under the published names, if they are the network's


def state_dict(state: Any, *keys: str, fits: Fits | None = None) -> StateDict:
    """The flat state dict in a checkpoint: under the first of ``keys`` that is there, or the checkpoint itself.

    What lies there may be another container with one of ``keys``: ``{"netG": {"state_dict": ...}}``. With ``fits`` a
    state dict under any other key, or in a list, is taken too if it alone fits; and of several that do the one that is
    named as the averaged network (``G_ema`` beside ``G``) is taken, whatever ``keys`` say.

    The prefixes ``module.`` of data-parallel training and ``_orig_mod.`` of ``torch.compile`` are dropped.

    Raises:
        CheckpointError: there is none, or several that fit; its names or numbers are none of a model.
    """
    found = state
    while isinstance(found, dict) and (key := next((key for key in keys if key in found), None)):
        found = found[key]
    whole = isinstance(found, dict) and found and all(isinstance(x, np.ndarray) for x in found.values())
    if fits is not None:
        here = fits(checked(found)) if whole else None
        averaged = [tensors for path, tensors in _fitting(state, fits) if _named(path, AVERAGED)]
        here = averaged[0] if len(averaged) == 1 else here if here is not None else _searched(state, fits)
        if here is not None:
            return here
    if not whole:
        held = sorted(_held(*item) for item in found.items())[:MAX_SHOWN] if isinstance(found, dict) else _kind(found)
        alone = isinstance(found, dict) and any(key in found for key in DISCRIMINATORS) and "G" not in found
        hint = " A discriminator alone makes no images: get the file with the generator." if alone else ""
        raise CheckpointError(f"the file holds {held}; expected a state dict of tensors" + _under(keys) + "." + hint)
    return checked(found)


def _held(key: Any, value: Any) -> str:
    """A key, and of an object its class."""
    return f"{str(key)[:80]}{f': {_kind(value)}' if isinstance(value, StandIn) else ''}"


def _kind(value: Any) -> str:
    if not isinstance(value, StandIn):
        return type(value).__name__
    return f"an object of {value.name if value.name.isprintable() else ascii(value.name)}"


def checked(tensors: Mapping[Any, np.ndarray]) -> StateDict:
    """The tensors without the prefixes of wrappers, if their names and numbers can be those of a model."""
    for name, array in tensors.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
            raise CheckpointError(f"a tensor has the name {str(name)[:80]!a}; expected up to {MAX_NAME} letters.")
        if np.iscomplexobj(array):
            raise CheckpointError(f"the tensor {name} has complex numbers; expected real ones.")
    state = tensors if isinstance(tensors, StateDict) else StateDict(tensors)
    return state.renamed(unwrapped)


def unwrapped(name: str) -> str:
    """The name without the prefixes of ``WRAPPERS``."""
    while wrapper := next((wrapper for wrapper in WRAPPERS if name.startswith(wrapper)), ""):
        name = name.removeprefix(wrapper)
    return name


def renamed(tensors: Mapping[Any, np.ndarray], rename: Callable[[Any], str]) -> StateDict:
    """The same tensors under the names ``rename(name)``; ``CheckpointError`` if two of them get one name."""
    return (tensors if isinstance(tensors, StateDict) else StateDict(tensors)).renamed(rename)


def signed(signature: Sequence[str]) -> Fits:
    """What fits a family whose tensors match every pattern of ``signature``, behind one prefix or none."""
    patterns = [re.compile(translate(pattern)) for pattern in signature]
    first = re.compile(rf"(|.*?\.){translate(signature[0])}") if signature else None

    def fits(tensors: StateDict) -> StateDict | None:
        matches = [match[1] for name in tensors if first and (match := first.match(name))]
        for prefix in sorted(set(matches), key=len)[:MAX_SHOWN]:
            names = [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]
            if all(any(pattern.match(name) for name in names) for pattern in patterns):
                return under(tensors, prefix) if prefix else tensors
        return None

    return fits


def under(tensors: StateDict, prefix: str) -> StateDict:
    """The tensors without ``prefix``, and without those of other networks; what else there is keeps its name."""
    return without_others(tensors, prefix).renamed(lambda name: name.removeprefix(prefix))


def without_others(tensors: StateDict, prefix: str) -> StateDict:
    """The tensors but for those that a discriminator, an encoder or a loss beside ``prefix`` has."""
    return tensors.renamed(
        lambda name: name if name.startswith(prefix) or not OTHERS.fullmatch(name.partition(".")[0]) else None
    )


def _searched(tree: Any, fits: Fits) -> StateDict | None:
    """The one state dict anywhere in ``tree`` that fits, or of several the averaged one, or the generator."""
    found = _fitting(tree, fits)
    for wanted in (AVERAGED, GENERATES):
        named = [(path, tensors) for path, tensors in found if _named(path, wanted)]
        found = named if named else found
    if len(found) > 1:
        shown = ", ".join("".join(f"[{key!r:.60}]" for key in path) for path, _ in found[:MAX_SHOWN])
        raise CheckpointError(
            f"the file holds {len(found)} networks that fit, {shown}, and does not say which. Save the one you mean: "
            f"torch.save(checkpoint{shown.partition(', ')[0]}, FILE)."
        )
    return found[0][1] if found else None


def _fitting(tree: Any, fits: Fits) -> list[tuple[tuple[Any, ...], StateDict]]:
    """Every state dict anywhere in ``tree`` that fits, and where it lies."""
    found = []
    for path, tensors in _state_dicts(tree):
        with contextlib.suppress(CheckpointError):
            if (fitting := fits(checked(tensors))) is not None:
                found.append((path, fitting))
    return found


def _named(path: tuple[Any, ...], wanted: re.Pattern[str]) -> bool:
    return any(wanted.search(str(key)) for key in path)


def _state_dicts(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[Any, np.ndarray]]]:
    """Every state dict in nested containers; of a dictionary that holds other things too, its tensors."""
    if isinstance(tree, dict):
        tensors = {key: value for key, value in tree.items() if isinstance(value, np.ndarray)}
        if tensors:
            yield path, tree if isinstance(tree, StateDict) else tensors
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, value in entries:
        if isinstance(value, dict | list | tuple):
            yield from _state_dicts(value, (*path, key))


def _under(keys: Sequence[str]) -> str:
    return f", alone or under {' or '.join([*map(repr, keys[:4]), *(['...'] if keys[4:] else [])])}" if keys else ""


def tensor_names(state: Any) -> set[str]:
    """Names of every tensor in a checkpoint, without the containers they lie in and the prefixes of wrappers."""
    return {unwrapped(str(name)) for _, tensors in _state_dicts(state) for name in tensors}
