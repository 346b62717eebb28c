"""Reading one pickle: the loop over its opcodes, with every error a `CheckpointError` that says where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle.builders import NAMES
from geomgan.restricted_pickle.files import looks_like, read_bytes
from geomgan.restricted_pickle.machine import Machine
from geomgan.restricted_pickle.opcodes import OPCODES
from geomgan.restricted_pickle.values import MAX_STEPS, NUMBERS, Handler, Names, check_tree, misfit

# What Python and numpy raise when a file hands a function values of the wrong type or size.
_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def load(
    data: bytes | bytearray | memoryview,
    *,
    names: Names | None = None,
    stand_ins: Sequence[str] = (),
    persistent: Handler | None = None,
    start: int = 0,
    max_steps: int = MAX_STEPS,
) -> tuple[Any, int]:
    """Read the pickle that begins at ``data[start]``.

    Args:
        data: The buffer; several pickles may follow each other in it.
        names: ``{"module.name": function}``: the functions that build data; None in place of a function
            admits the name uncalled. By default `NAMES`: builtin containers and numpy arrays.
        stand_ins: Patterns (``fnmatch``) on ``"module.name"`` of classes to keep as inert `StandIn` objects.
        persistent: Resolves persistent ids; without it they are refused.
        start: Where to begin.
        max_steps: The largest number of opcodes, and of containers in the result; of numbers ``NUMBERS`` as many.

    Returns:
        The object, and the position after the pickle.

    Raises:
        CheckpointError: The bytes are not a pickle of plain data within the limits.
    """
    data = data if isinstance(data, bytes) else bytes(data)
    machine = Machine(data, start, NAMES if names is None else names, tuple(stand_ins), persistent)
    try:
        return _run(machine, max_steps)
    except MemoryError as error:
        # A message takes memory too: what was built is let go first, here and in the frames of the traceback.
        error.__traceback__ = None
        machine.forget()
        raise CheckpointError(f"byte {machine.at}: found more data than memory holds; expected less") from None


def _run(machine: Machine, max_steps: int) -> tuple[Any, int]:
    left = NUMBERS * max_steps
    while left > 0:
        at, name = machine.at, "opcode"
        try:
            code = machine.take(1)
            if code not in OPCODES:
                raise misfit(repr(code), "a pickle opcode")
            name, read, act, counts = OPCODES[code]
            left -= counts
            if name == "STOP":
                return check_tree(machine.last(1)[0], max_steps), machine.at
            act(machine, read(machine))
        except CheckpointError as error:
            raise CheckpointError(f"byte {at} ({name}): {error}") from None
        except _MISFITS as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            raise CheckpointError(f"byte {at} ({name}): found data that does not fit: {reason}") from None
    raise CheckpointError(
        f"byte {machine.at}: found no end after {max_steps} opcodes, numbers counted as 1 / {NUMBERS}; expected one. "
        "Where training logs make the file so long, save the weights alone: torch.save(model.state_dict(), FILE)"
    )


def load_file(
    path: str | Path, *, names: Names | None = None, stand_ins: Sequence[str] = (), max_steps: int = MAX_STEPS
) -> Any:
    """Read the pickle in a file; arguments as for `load`."""
    data = read_bytes(path)
    try:
        return load(data, names=names, stand_ins=stand_ins, max_steps=max_steps)[0]
    except CheckpointError as error:
        raise CheckpointError(f"{path} (it looks like {looks_like(data)}): {error}") from None
