"""Where in a file the tensors of a network lie: under which keys, and behind which prefix of their names.

One way for every family. :func:`find` looks at each state dict of a file, at any depth; a family says with its
``Fits`` which of them, behind which prefixes, are its network's; of several the one is taken that is named as the
averaged network, else what lies under the published key, else what is named as a generator.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError, nearest
from geomgan.restricted_pickle import StandIn
from weights_convert.modules import StateDict

DISCRIMINATORS = ("d", "D", "discriminator", "netD")  # keys of whole checkpoints
MAX_NAME = 256  # of a tensor
WRAPPERS = ("module.", "_orig_mod.")  # what data-parallel training and torch.compile put before all names
INSIDE = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # and before some
AVERAGED = re.compile(r"ema|avg|averag|running|shadow", re.IGNORECASE)  # of two generators the one to use
GENERATES = re.compile(r"gen|netg|decoder|^g$|_g$|^g_", re.IGNORECASE)
OTHERS = re.compile(  # networks beside the generator in one module, by the first part of their names
    r"(net|model)?_?(d|e|q|dis\w*|critic\w*|enc\w*|lpips\w*|vgg\w*|perceptual\w*|\w*loss\w*)\d*", re.IGNORECASE
)
MAX_SHOWN = 8

Fits = Callable[[StateDict], Mapping[str, StateDict]]
"""Prefix -> the tensors behind it under the published names, for every prefix behind which the network can be."""


@dataclass(frozen=True)
class Found:
    """A network in a file.

    Attributes:
        tensors: under the published names.
        path: keys and places in lists that lead to its state dict.
        prefix: what stood before all names.
        left: where the other state dicts are, and the first parts of the names that belong to other networks.
        chosen: whether it lies elsewhere than the published file has it.
    """

    tensors: StateDict
    path: tuple[Any, ...] = ()
    prefix: str = ""
    left: tuple[str, ...] = ()
    chosen: bool = False

    def __str__(self) -> str:
        """What was taken, ``took G_ema, without the prefix module.; left D``; empty for all of a bare state dict."""
        if not (self.path or self.prefix or self.left):
            return ""
        parts = [place(self.path) or "the tensors", *([f"without the prefix {self.prefix}"] if self.prefix else [])]
        others = f"; left {_listed(self.left)}" if self.left else ""
        return f"took {', '.join(parts)}{others}"


def find(tree: Any, keys: Sequence[str] = (), fits: Fits | None = None, wanted: str | None = None) -> Found:
    """The network in a checkpoint.

    Args:
        tree: nested containers of arrays, as :func:`weights_convert.files.read_file` gives them.
        keys: where the published file has it: the first that is there, in what lies there again, and so on.
        fits: which state dicts are the network's; None to take the one under ``keys``, whatever it holds.
        wanted: its place as messages show it, ``"state_dict.generator"``: of several that fit this one is taken.

    Where nothing fits, what lies under ``keys`` is the answer if it is a state dict: its reader knows best what is
    missing. The prefixes of ``WRAPPERS`` are no part of a name anywhere.

    Raises:
        CheckpointError: there is no state dict; its names or numbers are none of a model.
        OptionError: several fit, and neither their names nor ``wanted`` say which; ``wanted`` is none of them.
    """
    usual = published(tree, keys)
    held = at(tree, usual)
    found = fitting(tree, fits) if fits else {}
    if not found and wanted is None:
        whole = isinstance(held, dict) and held and all(isinstance(x, np.ndarray) for x in held.values())
        if not whole:
            raise CheckpointError(_none_of(held, keys))
        return Found(checked(held), usual)
    taken = _best(found, usual) if wanted is None else _wanted(found, wanted)
    path, tensors = taken[0], found[taken]
    lost = _lost(at(tree, path), tensors)
    return Found(tensors, path, lost, _left(tree, path, tensors), path != usual or bool(unwrapped(lost)))


def state_dict(state: Any, *keys: str, fits: Fits | None = None) -> StateDict:
    """The tensors that :func:`find` finds; errors as there."""
    return find(state, keys, fits).tensors


def published(tree: Any, keys: Sequence[str]) -> tuple[str, ...]:
    """The path that leads along the first of ``keys`` that is there, as long as there is one."""
    path: list[str] = []
    while isinstance(tree, dict) and (key := next((key for key in keys if key in tree), None)) is not None:
        tree = tree[key]
        path.append(key)
    return tuple(path)


def at(tree: Any, path: Sequence[Any]) -> Any:
    """What lies there."""
    for key in path:
        tree = tree[key]
    return tree


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
    """The name without the prefixes of ``WRAPPERS``, and without those of ``INSIDE`` anywhere."""
    name = INSIDE.sub("", name)
    while wrapper := next((wrapper for wrapper in WRAPPERS if name.startswith(wrapper)), ""):
        name = name.removeprefix(wrapper)
    return name


def renamed(tensors: Mapping[Any, np.ndarray], rename: Callable[[Any], str]) -> StateDict:
    """The same tensors under the names ``rename(name)``; ``CheckpointError`` if two of them get one name."""
    return (tensors if isinstance(tensors, StateDict) else StateDict(tensors)).renamed(rename)


def signed(signature: Sequence[str], rename: Callable[[str], str] = str) -> Fits:
    """What fits a family: every pattern of ``signature`` has a tensor behind one and the same prefix, or none.

    Args:
        signature: patterns of published names.
        rename: from the names of other versions of the published program to those.
    """
    patterns = [re.compile(translate(pattern)) for pattern in signature]
    first = re.compile(rf"(|.*?\.){translate(signature[0])}") if signature else None

    def fits(tensors: StateDict) -> dict[str, StateDict]:
        tensors = tensors.renamed(rename)
        matches = {match[1] for name in tensors if first and (match := first.match(name))}
        fitting = []
        for prefix in sorted(matches, key=len)[:MAX_SHOWN]:
            names = [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]
            if all(any(pattern.match(name) for name in names) for pattern in patterns):
                fitting.append(prefix)
        return {prefix: under(tensors, prefix, fitting) for prefix in fitting}

    return fits


def under(tensors: StateDict, prefix: str, prefixes: Sequence[str] = ()) -> StateDict:
    """The tensors that :func:`alone` leaves, without ``prefix``; what else there is keeps its name."""
    return alone(tensors, prefix, prefixes).renamed(lambda name: name.removeprefix(prefix))


def alone(tensors: StateDict, prefix: str, prefixes: Sequence[str] = ()) -> StateDict:
    """The tensors without those of a discriminator, an encoder or a loss beside ``prefix``.

    Without those, too, of the same network behind another of ``prefixes``.
    """
    more = tuple(other for other in prefixes if not prefix.startswith(other))
    inner = any(other != prefix and prefix.startswith(other) for other in prefixes)  # what is outside is that one's

    def kept(name: str) -> str | None:
        beside = not name.startswith(prefix)
        return None if name.startswith(more) or (beside and (inner or OTHERS.fullmatch(_first(name)))) else name

    return tensors.renamed(kept)


def tensor_names(state: Any) -> set[str]:
    """Names of every tensor in a checkpoint, without the containers they lie in and the prefixes of wrappers."""
    return {unwrapped(str(name)) for _, tensors in state_dicts(state) for name in tensors}


def state_dicts(tree: Any) -> Iterator[tuple[tuple[Any, ...], dict[Any, np.ndarray]]]:
    """Every state dict in nested containers with its path; of a dictionary that holds other things too, its tensors."""
    return _within(tree, (), set())


def _within(
    tree: Any, path: tuple[Any, ...], been: set[int]
) -> Iterator[tuple[tuple[Any, ...], dict[Any, np.ndarray]]]:
    if isinstance(tree, dict):
        tensors = {key: value for key, value in tree.items() if isinstance(value, np.ndarray)}
        if tensors:
            yield path, tree if isinstance(tree, StateDict) else tensors
    if id(tree) in been:  # a short file can hold one container a million times
        return
    been.add(id(tree))
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, value in entries:
        if isinstance(value, dict | list | tuple):
            yield from _within(value, (*path, key), been)


# --- Which of several ---

Place = tuple[tuple[Any, ...], str]
"""Path to a state dict, and the prefix of the names in it."""


def fitting(tree: Any, fits: Fits) -> dict[Place, StateDict]:
    """Every network anywhere in ``tree`` that fits, by where it lies."""
    found: dict[Place, StateDict] = {}
    for path, tensors in state_dicts(tree):
        with contextlib.suppress(CheckpointError):
            found |= {(path, prefix): network for prefix, network in fits(checked(tensors)).items()}
    return found


def _best(found: Mapping[Place, StateDict], usual: tuple[Any, ...]) -> Place:
    """The averaged network of several that fit, or the one under the published key, or the generator."""
    best = list(found)
    for is_one in (
        lambda one: _named(one, AVERAGED),
        lambda one: one[0] == usual,
        lambda one: _named(one, GENERATES),
        lambda one: not OTHERS.fullmatch(_first(one[1])),
    ):
        best = [one for one in best if is_one(one)] or best
    if len(best) > 1:
        shown = [place(*one) or "(the names without a prefix)" for one in best]
        raise OptionError(
            f"the file holds {len(best)} networks that fit, {_listed(shown)}, and does not say which. Say it with "
            f"--option network={shown[-1]}."
        )
    return best[0]


def _wanted(found: Mapping[Place, StateDict], wanted: str) -> Place:
    """The network at the place that the user names."""
    shown = {place(*one): one for one in found}
    if wanted not in shown:
        raise OptionError(f"network={wanted[:80]!r} is none of the networks that fit. {nearest(wanted, shown)}")
    return shown[wanted]


def _first(name: str) -> str:
    return name.partition(".")[0]


def _named(one: Place, wanted: re.Pattern[str]) -> bool:
    path, prefix = one
    return any(wanted.search(str(part)) for part in (*path, *prefix.split(".")))


# --- In words ---


def place(path: Sequence[Any], prefix: str = "") -> str:
    """Where something lies, as messages and options say it: keys and prefix with dots between."""
    return ".".join([*(str(key)[:60] for key in path), *([prefix.rstrip(".")] if prefix else [])])


def _lost(raw: Mapping[Any, np.ndarray], tensors: StateDict) -> str:
    """What the names in a file have before those of ``tensors``."""
    named = {id(array): name for name, array in raw.items()}
    for name, array in tensors.items():
        before = str(named.get(id(array), name))
        if before.endswith(f".{name}"):
            return before.removesuffix(name)
    return ""


def _left(tree: Any, path: tuple[Any, ...], tensors: StateDict) -> tuple[str, ...]:
    """The other state dicts of a file, and the first parts of names in this one that belong to others."""
    taken = {id(array) for array in tensors.values()}
    beside = [place(_parting(other, path)) for other, _ in state_dicts(tree) if other != path[: len(other)]]
    inside = [_first(str(name)) for name, array in at(tree, path).items() if _is_left(array, taken)]
    return tuple(dict.fromkeys([*beside, *inside]))


def _parting(other: Sequence[Any], path: Sequence[Any]) -> Sequence[Any]:
    """The start of ``other`` up to the first key that ``path`` has not."""
    same = next((i for i, (a, b) in enumerate(zip(other, path, strict=False)) if a != b), min(len(other), len(path)))
    return other[: same + 1]


def _is_left(array: Any, taken: set[int]) -> bool:
    return isinstance(array, np.ndarray) and id(array) not in taken


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:MAX_SHOWN], *(["..."] if len(names) > MAX_SHOWN else [])])


def _none_of(held: Any, keys: Sequence[str]) -> str:
    """What is said of a file without a state dict."""
    shown = sorted(_held(*item) for item in held.items())[:MAX_SHOWN] if isinstance(held, dict) else _kind(held)
    alone = isinstance(held, dict) and any(key in held for key in DISCRIMINATORS) and "G" not in held
    hint = " A discriminator alone makes no images: get the file with the generator." if alone else ""
    under = f", alone or under {' or '.join([*map(repr, keys[:4]), *(['...'] if keys[4:] else [])])}" if keys else ""
    return f"the file holds {shown}; expected a state dict of tensors{under}.{hint}"


def _held(key: Any, value: Any) -> str:
    """A key, and of an object its class."""
    return f"{str(key)[:80]}{f': {_kind(value)}' if isinstance(value, StandIn) else ''}"


def _kind(value: Any) -> str:
    if not isinstance(value, StandIn):
        return type(value).__name__
    return f"an object of {value.name if value.name.isprintable() else ascii(value.name)}"
