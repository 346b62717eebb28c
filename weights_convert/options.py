"""What a user says of a checkpoint beyond its tensors, and what is assumed because neither says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from geomgan.errors import OptionError, check_choice
from geomgan.generators import layouts
from geomgan.models.families import Checkpoint
from weights_convert.modules import StateDict

T = TypeVar("T")
NETWORK = {"network": "which one, where a file holds several that fit: its keys and prefix with dots between"}
Epsilon = Callable[[str | None], float]
_WHOLE = "or from the whole module: torch.save(model, FILE)"
_OTHER_WAYS = {  # to say more, where a family has one that says all
    "torch-layers": "or say all of it: --option layers=FILE writes a line for each layer, to be changed",
    "keras-layers": "or take the model as a function: docs/own_generator.md, From Keras",
    "torch-module": "or export the network, which says everything: `geomgan export-recipe` prints the lines",
}


def taken(published: Checkpoint) -> dict[str, str]:
    """The options that the conversion of a family takes, each with its help."""
    return {**published.options, **(NETWORK if published.signature else {})}


class Options(Mapping[str, str]):
    """The options of a conversion, and in ``assumed`` every value that was taken because nothing said it."""

    def __init__(self, said: Mapping[str, str], helps: Mapping[str, str]) -> None:
        self._said, self._helps = dict(said), helps
        self.assumed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> str:
        return self._said[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)

    def ask(self, name: str, read: Callable[[str, str], T], *, known: T | None = None, assumed: T | None = None) -> T:
        """The value of option ``name``: what the file says, else what the user says, else what is assumed.

        Args:
            name: an option of the family's declaration.
            read: ``(name, text) -> value``, one of the readers of this module.
            known: what the file says of it; None where it says nothing.
            assumed: what is taken where nothing is said, and kept in ``assumed``; None to ask.

        Raises:
            OptionError: the user says what the file contradicts, what no such option is, or nothing where it is asked.
        """
        said = read(name, self._said[name]) if name in self._said else None
        if known is not None:
            if said is not None and said != known:
                raise OptionError(f"{name}={self._said[name]}, but the file says {shown(known)}. Leave the option out.")
            return known
        if said is not None:
            return said
        if assumed is None:
            about = f" ({self._helps[name]})" if name in self._helps else ""
            raise OptionError(f"the file does not say its {name}. Give --option {name}=...{about}.")
        self.assumed[name] = assumed
        return assumed

    def epsilon(self, tensors: Mapping[str, Any], assumed: float = layouts.BATCH_NORM_EPSILON) -> Epsilon:
        """The epsilon of each batch norm by its path (None: there is none): as a whole module has it, else one for all.

        Raises:
            OptionError: as :meth:`ask`.
        """

        def of(norm: str | None) -> float:
            if norm is None:  # nothing to ask about
                return assumed
            part = tensors.parts.get(norm) if isinstance(tensors, StateDict) else None
            known = part.attributes.get("eps") if part else None
            return self.ask("epsilon", positive, known=known if isinstance(known, float) else None, assumed=assumed)

        return of


def module_slope(tensors: Mapping[str, Any]) -> float | None:
    """The slope of all leaky ReLUs of a whole module; None of a state dict, or where there are none or several."""
    parts = tensors.parts.values() if isinstance(tensors, StateDict) else ()
    slopes = {part.attributes.get("negative_slope") for part in parts if part.kind == "LeakyReLU"}
    slope = slopes.pop() if len(slopes) == 1 else None
    return float(slope) if isinstance(slope, int | float) else None


def shown(value: Any) -> str:
    """A value as an option is written: ``0,1,1,1``, ``1e-05``, ``tanh``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def sentence(assumed: Mapping[str, Any], family: str) -> str:
    """What is printed of the values that were assumed for a file of ``family``; nothing where there are none."""
    if not assumed:
        return ""
    values = ", ".join(f"{name}={shown(value)}" for name, value in assumed.items())
    return (
        f"assumed, because the file does not say: {values}. Where one is wrong, convert again with --option KEY=VALUE "
        f"(in Python options={{KEY: VALUE}}; `geomgan convert {family} --help` explains them), "
        f"{_OTHER_WAYS.get('torch-module' if 'forward' in assumed else family, _WHOLE)}."
    )


# --- Readers: (name, text) -> value ---


def choice(*choices: str) -> Callable[[str, str], str]:
    """One of ``choices``."""

    def read(name: str, text: str) -> str:
        check_choice(text, choices, name)
        return text

    return read


def flag(name: str, text: str) -> bool:
    """``true`` or ``false``."""
    check_choice(text.lower(), ("true", "false"), name)
    return text.lower() == "true"


def number(low: float, high: float) -> Callable[[str, str], float]:
    """A number from ``low`` to ``high``."""

    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise OptionError(f"{name}={text[:40]!r}; expected a number from {low:g} to {high:g}.")
        return value

    return read


def positive(name: str, text: str) -> float:
    """A number above 0, as an epsilon is."""
    return number(5e-324, 1.0)(name, text)


def whole(low: int, high: int, count: int) -> Callable[[str, str], list[int]]:
    """``count`` whole numbers from ``low`` to ``high`` with commas between, or one that is meant for all."""

    def read(name: str, text: str) -> list[int]:
        parts = text.split(",")
        values = [int(part) for part in parts if part.strip().isdecimal() and len(part) < 10]
        if len(values) != len(parts) or len(values) not in (1, count) or not _within(values, low, high):
            raise OptionError(
                f"{name}={text[:40]!r}; expected {count} whole numbers from {low} to {high}, one for each layer: "
                f"{name}={','.join([str(low + 1)] * count)}."
            )
        return values * (count // len(values))

    return read


def _within(values: Iterable[int], low: int, high: int) -> bool:
    return all(low <= value <= high for value in values)
