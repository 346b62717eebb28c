"""A hash of what a traced program computes: its operations, shapes and constants; no names, sources or addresses.

Every value has the hash of what it is made of: an equation that of its operation and of its inputs. Names of variables,
the order of independent equations, and what no output needs are therefore not in it. Two runs of one script have the
same hashes, in any process; another version of JAX may trace a function to other equations.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive, primitives

from geomgan.backend import in_float32
from geomgan.errors import HERE
from geomgan.generators.prepared import kernel_use

Hash = bytes
_of_arrays: dict[int, tuple[weakref.ref[jax.Array], Hash]] = {}  # while these arrays live, by identity
_ADDRESS = re.compile(r"\b0x[0-9a-f]+", re.IGNORECASE)
_RULES = ("custom_jvp_call", "custom_vjp_call")  # a program, and functions that give its derivative
_SILENT = ("debug_callback", "debug_print")  # change no value
_PUBLISHED = {value.name for value in vars(primitives).values() if isinstance(value, Primitive)}
_MORE = (
    "add_any addupdate all_gather_invariant broadcast_to cholesky_update composite empty freeze from_edtype geqp3 "
    "geqrf iota_2x32_shape layout_constraint lu_pivots_to_permutation mulhi new_ref optimization_barrier ormqr "
    "pbroadcast philox2x32 philox4x32 platform_index psum_invariant pvary ragged_dot_general random_clone "
    "random_gamma random_unwrap random_wrap reduce_scatter reshard scaled_dot scatter-sub shard_map split stack "
    "symmetric_product threefry4x32 tile to_edtype unstack zeros_like"
)
_HELD = _PUBLISHED.union(_MORE.split())  # operations of JAX, of which a program holds all that they do


@dataclass
class Found:
    """What was met on the way.

    Attributes:
        calls: operations whose doing the program does not hold: callbacks, foreign functions.
        hashes: of constants and of programs inside, by identity, with what keeps that alive.
        orders: of derivatives that are looked at, where functions bring theirs with them.
    """

    calls: set[str] = field(default_factory=set)
    hashes: dict[int, tuple[Any, Hash]] = field(default_factory=dict)
    orders: int = 1


def program_hash(function: Callable, *arguments: Any) -> str:
    """Of what ``function(*arguments)`` computes, and of how its result is named; of arguments only shapes count."""
    with in_float32():
        program, result = jax.make_jaxpr(lambda *arguments: function(*arguments), return_shape=True)(*arguments)
    inputs = [input_hash(str(i), leaf) for i, leaf in enumerate(jax.tree.leaves(arguments))]
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(result)]
    return joined_hash([*value_hashes(program, inputs, Found()), _hash(str(names))])


def value_hashes(program: Any, inputs: Sequence[Hash], found: Found, first: int = 0) -> list[Hash]:
    """The hash of every output of a ``jax.make_jaxpr`` result.

    Args:
        program: the traced program.
        inputs: hashes of its inputs; :func:`input_hash` where their values do not matter.
        found: is told what is met.
        first: so many of the first outputs are a result by themselves: the others take them as inputs.
    """
    return _outputs(program.jaxpr, inputs, [_constant(value, found) for value in program.consts], found, first)


def joined_hash(parts: Sequence[Hash]) -> str:
    """One hash of several, as people see it."""
    return _hash(f"{len(parts)} together", *parts).hex()[:16]


def input_hash(what: str, value: Any) -> Hash:
    """Of an input of which only place, shape and type are to matter."""
    return _hash(f"input {what} {_kind(value)}")


def constant_hash(value: Any) -> Hash:
    """Of an array's type, shape and values."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return _hash(f"keys {value.dtype}", constant_hash(jax.random.key_data(value)))
    known = _of_arrays.get(id(value))
    if known is not None and known[0]() is value:
        return known[1]
    array = np.asarray(value)
    own = _hash(f"{array.dtype}{array.shape}", np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    if isinstance(value, jax.Array):  # of which no value ever changes
        place = id(value)
        _of_arrays[place] = weakref.ref(value, lambda _: _of_arrays.pop(place, None)), own
    return own


def _outputs(jaxpr: Any, inputs: Sequence[Hash], constants: Sequence[Hash], found: Found, first: int = 0) -> list[Hash]:
    known: dict[Any, Hash] = {}
    made: dict[Any, Hash] = {}
    cut = {var: f"first {i}" for i, var in enumerate(jaxpr.outvars[:first]) if not hasattr(var, "val")}
    done = b""  # what changed a state outside, in order

    def define(var: Any, own: Hash) -> None:
        made[var] = own
        known[var] = input_hash(cut[var], var.aval) if var in cut else own

    def of(atom: Any) -> Hash:
        return _constant(atom.val, found, atom.aval) if hasattr(atom, "val") else known[atom]

    for var, own in zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *inputs], strict=True):
        define(var, own)
    for equation in jaxpr.eqns:
        primitive, operands = equation.primitive, [of(atom) for atom in equation.invars]
        if primitive is kernel_use:  # a mark, no operation
            define(equation.outvars[0], operands[0])
        elif primitive.name not in _SILENT:
            own = _hash(_described(equation, found), *operands)
            if any("Debug" not in type(effect).__name__ for effect in equation.effects):
                done = own = _hash("after", done, own)
            for i, out in enumerate(equation.outvars):
                define(out, _hash(f"{i} {_kind(out.aval)}", own))
    outputs = [made[atom] if i < first and atom in made else of(atom) for i, atom in enumerate(jaxpr.outvars)]
    return [_hash("after", done, output) for output in outputs] if done else outputs


def _described(equation: Any, found: Found) -> str:
    name, params = equation.primitive.name, equation.params
    if name in _RULES:
        inside = [_text(value, found) for value in params.values() if _is_program(value)]
        return f"{name} {inside} {_rule(equation, found).hex()}"
    held = name in _HELD
    if not held:
        found.calls.add(name)
    told = sorted(item for item in params.items() if item[0] != "name" or not held)  # a label of operations of JAX
    return f"{name} {[(key, _text(value, found, held)) for key, value in told]}"


def _rule(equation: Any, found: Found) -> Hash:
    """Of the derivative that a function brings with it; of none where that cannot be traced, as its use will say."""
    primitive, atoms = equation.primitive, equation.invars
    if not found.orders or _is_own(equation):
        return b""
    inputs = [jax.ShapeDtypeStruct(atom.aval.shape, atom.aval.dtype) for atom in atoms]
    smooth = [jnp.issubdtype(x.dtype, jnp.inexact) for x in inputs]

    def derivative(*values: Any) -> Any:
        def along(*moved: Any) -> Any:
            moving = iter(moved)
            every = [next(moving) if is_smooth else value for value, is_smooth in zip(values, smooth, strict=True)]
            return primitive.bind(*every, **primitive.get_bind_params(equation.params))

        at = [value for value, is_smooth in zip(values, smooth, strict=True) if is_smooth]
        if primitive.name == "custom_vjp_call":
            results, back = jax.vjp(along, *at)
            return back(results)
        return jax.jvp(along, at, at)[1]

    try:
        program = jax.make_jaxpr(derivative)(*inputs)
    except (TypeError, ValueError, NotImplementedError):
        return b"none"
    inner = replace(found, orders=found.orders - 1, hashes={})
    places = [input_hash(str(i), x) for i, x in enumerate(inputs)]
    return _hash("rule", *value_hashes(program, places, inner))


def _is_own(equation: Any) -> bool:
    """Whether a rule is of this package: it changes with its version, and tracing one takes longer than all else."""
    rules = [value for value in equation.params.values() if hasattr(value, "debug_info") and not _is_program(value)]
    files = [str(getattr(rule.debug_info, "func_filename", None)) for rule in rules]
    return bool(files) and all(file.startswith(HERE) for file in files)


def _text(value: Any, found: Found, held: bool = True) -> str:
    """A parameter as a text that is the same in every process; of functions only that they are there."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if _is_program(value):
        return _program(value, found).hex()
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _constant(value, found).hex()
    if isinstance(value, np.dtype | type):
        return np.dtype(value).name if isinstance(value, np.dtype) else value.__name__
    part: Callable[[Any], str] = lambda inner: _text(inner, found, held)
    kind = type(value)
    if isinstance(value, Mapping):
        return f"{{{sorted((part(key), part(inner)) for key, inner in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{{{sorted(map(part, value))}}}"
    if isinstance(value, tuple | list):
        return f"{kind.__name__}{[part(inner) for inner in value]}"
    if isinstance(value, jax.sharding.Sharding | jax.sharding.Mesh | jax.sharding.AbstractMesh):
        return kind.__name__  # where it is computed
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _kind(value)
    if callable(value):
        return "function"
    if is_dataclass(value):
        return f"{kind.__name__}{[(f.name, part(getattr(value, f.name))) for f in fields(value)]}"
    if not held:
        return kind.__name__
    return f"{kind.__name__} {_ADDRESS.sub('', repr(value))}"


def _program(program: Any, found: Found) -> Hash:
    """Of a program inside an equation: of a loop, a branch, a function of its own."""
    if id(program) not in found.hashes:
        jaxpr = getattr(program, "jaxpr", program)
        inputs = [input_hash(str(i), var.aval) for i, var in enumerate(jaxpr.invars)]
        constants = [_constant(value, found) for value in getattr(program, "consts", ())]
        constants += [input_hash(f"constant {i}", var.aval) for i, var in enumerate(jaxpr.constvars[len(constants) :])]
        outputs = _outputs(jaxpr, inputs, constants, found)
        found.hashes[id(program)] = program, _hash(f"program of {len(inputs)}", *outputs)
    return found.hashes[id(program)][1]


def _constant(value: Any, found: Found, aval: Any = None) -> Hash:
    if isinstance(value, bool | int | float | complex):
        return constant_hash(np.asarray(value, getattr(aval, "dtype", None)))
    if id(value) not in found.hashes:
        found.hashes[id(value)] = value, constant_hash(value)
    return found.hashes[id(value)][1]


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns")


def _kind(value: Any) -> str:
    return f"{getattr(value, 'dtype', type(value).__name__)}{getattr(value, 'shape', '')}"


def _hash(text: str, *parts: Any) -> Hash:
    digest = hashlib.sha256(text.encode())
    for part in parts:
        digest.update(part)
    return digest.digest()
