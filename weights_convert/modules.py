"""Whole modules in a file (``torch.save(model)``, TorchScript), read as what their state dicts are.

Nothing of them is built or called: a module is an inert record of its attributes, and its tensors are collected from
those under the names that they have in a state dict. What its parts say of themselves (strides, epsilons, slopes) stays
beside the tensors: no state dict has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import StandIn, misfit

MAX_TENSORS, MAX_NAME = 10_000, 256
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"  # of the official StyleGAN repositories
TORCH = "torch.nn."  # what stands before the names of torch's own classes
SCRIPT = "__torch__."  # what TorchScript puts before the name of a class
FUNCTIONS = (  # modules of torch that change what passes; none has tensors but PReLU, its slopes
    *("CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid"),
    *("LogSoftmax", "Mish", "PReLU", "PixelShuffle", "PixelUnshuffle", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU"),
    *("Sigmoid", "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold"),
    *("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
)
OTHERWISE = "docs/own_generator.md says how any network is analysed: as a table, or as a function"
_PLAIN = (bool, int, float, str, tuple, list, type(None))


@dataclass(frozen=True)
class Part:
    """One module of a tree of modules.

    Attributes:
        kind: the name of its class.
        attributes: those of its attributes that are plain values.
        own: whether the class is one of torch's.
    """

    kind: str
    attributes: Mapping[str, Any]
    own: bool = True

    def pair(self, name: str) -> int | None:
        """The attribute ``name``, a number or the same number for every axis; None where it is neither."""
        value = self.attributes.get(name)
        sides = set(value) if isinstance(value, tuple | list) else {value}
        side = sides.pop() if len(sides) == 1 else None
        return side if type(side) is int else None


class StateDict(dict[str, np.ndarray]):
    """The tensors of a network by name, in order; of a whole module also its ``parts`` by path."""

    def __init__(self, tensors: Mapping[str, np.ndarray], parts: Mapping[str, Part] | None = None) -> None:
        super().__init__(tensors)
        self.parts = dict(parts or {})

    def renamed(self, rename: Callable[[Any], str | None]) -> StateDict:
        """The same tensors and parts under the names ``rename(name)``, without those for which that is None.

        Raises:
            CheckpointError: two tensors get one name.
        """
        names: dict[str, Any] = {}
        for old in self:
            new = rename(old)
            if new is not None and (first := names.setdefault(new, old)) != old:
                raise CheckpointError(f"the tensors {first} and {old} are the same one of the model. Drop one of them.")
        parts = {}
        for path, part in self.parts.items():  # a module is renamed as a tensor in it is
            new = rename(f"{path}.x" if path else "x")
            if new is not None:
                parts[new.rpartition(".")[0]] = part
        return StateDict({new: self[old] for new, old in names.items()}, parts)


def forwards(parts: Mapping[str, Part]) -> list[str]:
    """The classes of a whole module that are no one's but its author's and have parts: no file holds their forward."""
    above = {path.rpartition(".")[0] for path in parts if path}
    return list(dict.fromkeys(part.kind for path, part in parts.items() if path in above and not part.own))


def expect_functions(tensors: StateDict, allowed: Mapping[str, Mapping[str, Any]], what: str) -> None:
    """Raise if a whole module has a non-linearity or upsampling that the model ``what`` has not.

    Args:
        tensors: of a state dict nothing is known.
        allowed: names of torch's classes -> attributes that they must have.
        what: for messages.
    """
    for path, part in tensors.parts.items():
        wrong = {
            k: part.attributes.get(k) for k, v in allowed.get(part.kind, {}).items() if part.attributes.get(k) != v
        }
        if part.kind in FUNCTIONS and (wrong or part.kind not in allowed):
            expected = ", ".join(f"{kind} {needs}" if needs else kind for kind, needs in allowed.items())
            kind = f"{part.kind} {wrong}" if wrong else part.kind
            raise CheckpointError(f"the module has {kind} at {path}; {what} has {expected}. {OTHERWISE}")


def without_modules(tree: Any) -> Any:
    """The containers of a file with a ``StateDict`` in place of every whole module."""
    if isinstance(tree, dict) and not isinstance(tree, StateDict):
        return {key: without_modules(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        if not any(isinstance(value, dict | list | tuple | StandIn) for value in tree):
            return tree
        return [without_modules(value) for value in tree]
    return module_state(tree) if isinstance(tree, StandIn) and _is_module(tree) else tree


def module_state(root: StandIn) -> StateDict:
    """Parameters and buffers of a module and all below it, and what its parts say.

    Raises:
        CheckpointError: it has too many parts, or parts without names.
    """
    tensors: dict[str, np.ndarray] = {}
    parts: dict[str, Part] = {}
    for path, module in _modules(root):
        attributes = attributes_of(module)
        said = {k: v for k, v in attributes.items() if isinstance(k, str) and isinstance(v, _PLAIN)}
        kind = module.name.rpartition(".")[2]
        own = module.name.startswith(TORCH)
        parts[path] = Part(kind if kind.isidentifier() else "object", said, own)
        prefix = f"{path}." if path else ""
        for name, value in _tensors(module, attributes):
            tensors[_joined(prefix, name)] = value
        if len(tensors) + len(parts) > 2 * MAX_TENSORS:  # a short file can share one module many times
            raise misfit(f"more than {2 * MAX_TENSORS} modules and tensors", "fewer")
    return StateDict(
        tensors, {} if root.name.startswith(SCRIPT) else parts
    )  # in TorchScript program text says the rest


def _modules(root: StandIn) -> Iterator[tuple[str, StandIn]]:
    """Every module with its path, in the order of a state dict."""
    waiting = [("", root)]
    while waiting:
        path, module = waiting.pop()
        yield path, module
        below = [(name, value) for name, value in _children(module).items() if isinstance(value, StandIn)]
        prefix = f"{path}." if path else ""
        waiting += [(_joined(prefix, name), value) for name, value in reversed(below)]


def _children(module: StandIn) -> dict[Any, Any]:
    attributes = attributes_of(module)
    if not module.name.startswith(SCRIPT):
        return plain(attributes.get("_modules"))
    return {k: v for k, v in attributes.items() if isinstance(v, StandIn) and v.name.startswith(SCRIPT)}


def _tensors(module: StandIn, attributes: Mapping[Any, Any]) -> Iterator[tuple[Any, np.ndarray]]:
    """Its own parameters and buffers that a state dict has."""
    if module.name.startswith(SCRIPT):
        held = dict(attributes)
    else:
        held = plain(attributes.get("_parameters")) | plain(attributes.get("_buffers"))
    passing = attributes.get("_non_persistent_buffers_set")
    for name, value in held.items():
        if isinstance(value, np.ndarray) and not (isinstance(passing, set | frozenset) and name in passing):
            yield name, value


def _joined(prefix: str, name: Any) -> str:
    if not isinstance(name, str) or len(prefix) + len(name) > MAX_NAME or not name.isprintable():
        raise misfit("a module whose parts have no names, or long ones", f"text of at most {MAX_NAME} characters")
    return prefix + name


def _is_module(value: StandIn) -> bool:
    if value.name == PERSISTENT:
        return True
    if value.args is None or not isinstance(value.state, dict):
        return False
    return value.name.startswith(SCRIPT) or "_parameters" in value.state


def attributes_of(module: StandIn) -> dict[Any, Any]:
    """What the object of a module holds."""
    state = module.state
    if module.name == PERSISTENT:
        meta = plain(module.args[0]) if module.args else {}
        state = meta.get("state")
    if not isinstance(state, dict | StandIn):
        raise misfit(f"an object of {module.name} without attributes", "a module")
    return plain(state)


def plain(value: Any) -> dict[Any, Any]:
    """A dictionary, also of a subclass such as the official repositories' ``EasyDict``; empty for anything else."""
    if isinstance(value, StandIn):
        value = value.items
    return value if isinstance(value, dict) else {}
