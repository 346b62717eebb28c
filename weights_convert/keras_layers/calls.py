"""What the layers of a configuration are called with, and on inputs of which shape, in the forms of Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.generators.aten.program import Value

MAX_NESTING = 8


def arguments(said: Any, made: Mapping[tuple[str, int], Value], name: str) -> list[Any]:
    """What a call takes: values, lists of them, and numbers."""
    if isinstance(said, dict):
        options = said.get("kwargs")
        options = options if isinstance(options, dict) else {}
        acting = {key for key, value in options.items() if key not in ("mask", "training") and value is not None}
        if acting or options.get("training") or not isinstance(said.get("args"), list):
            raise CheckpointError(f"the layer {name} is called with {str(options)[:60]!a}; expected values alone.")
        return [_resolved(argument, made) for argument in said["args"]]
    values = [made[place[:2]] for place in all_places([said])]  # of Keras 2
    entries = said if isinstance(said, list) else []
    settings = [entry[3] for entry in entries if isinstance(entry, list) and len(entry) > 3]
    if any(not isinstance(setting, dict) or any(setting.values()) for setting in settings):
        raise CheckpointError(f"the layer {name} is called with {str(settings)[:60]!a}; expected values alone.")
    return [values if len(values) > 1 else values[0]] if values else []


def _resolved(argument: Any, made: Mapping[tuple[str, int], Value]) -> Any:
    if isinstance(argument, list):
        return [_resolved(part, made) for part in argument]
    if isinstance(argument, dict):
        taken = list(all_places(argument))
        if len(taken) != 1:
            raise CheckpointError(f"a layer is called with {str(argument)[:60]!a}; expected values and numbers.")
        return made[taken[0][:2]]
    return argument


def all_places(said: Any, depth: int = 0) -> Iterator[tuple[str, int, int]]:
    """Every value that calls take, ``(layer, call, output)``, in either form of Keras."""
    if depth > MAX_NESTING:
        raise CheckpointError("a call of a layer takes lists nested too deep; expected values.")
    if isinstance(said, dict) and said.get("class_name") == "__keras_tensor__":
        config = said.get("config")
        yield _place(config.get("keras_history") if isinstance(config, dict) else None)
    elif isinstance(said, dict):
        for part in said.values():
            yield from all_places(part, depth + 1)
    elif isinstance(said, list) and len(said) >= 3 and isinstance(said[0], str):
        yield _place(said[:3])
    elif isinstance(said, list):
        for part in said:
            yield from all_places(part, depth + 1)


def _place(said: Any) -> tuple[str, int, int]:
    name, *numbers = said if isinstance(said, list) and len(said) == 3 else (None,)
    if not isinstance(name, str) or not all(type(n) is int and n >= 0 for n in numbers):
        raise CheckpointError(f"the model takes the value {str(said)[:60]!a}; expected [layer, call, output].")
    return name, numbers[0], numbers[1]


def places(said: Any) -> list[tuple[str, int, int]]:
    """The inputs or outputs of a functional model: one, or several in a list or dictionary."""
    if isinstance(said, dict):
        said = list(said.values())
    if isinstance(said, list) and said and isinstance(said[0], str):
        said = [said]
    return [_place(entry) for entry in said] if isinstance(said, list) else []


def shape_of(settings: Mapping[str, Any], built: Any = None) -> tuple[int, ...]:
    """The shape of an input without its batch."""
    said = settings.get("batch_shape") or settings.get("batch_input_shape") or built
    sides = said[1:] if isinstance(said, list) else None
    if not sides or not all(type(n) is int and 0 < n < 1 << 20 for n in sides):
        raise CheckpointError(
            f"the model's input has the shape {str(said)[:60]!a}; expected fixed sides behind the batch. Save it again "
            "with keras.Input(shape) of fixed sides."
        )
    return tuple(sides)


def channels_first(config: Any) -> bool:
    """Whether the layers of a model have channels first.

    Raises:
        CheckpointError: some have, and some have not.
    """
    found, waiting = set(), [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found |= {order for order in ("channels_first", "channels_last") if part.get("data_format") == order}
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if len(found) > 1:
        raise CheckpointError("the model has layers with channels first and others with channels last; expected one.")
    return found == {"channels_first"}
