"""A direction in latent space, and the path that it makes of any code.

Every method finds its directions by other means; what it returns is one type. A direction of a ``w`` space moves codes
of ``w+`` in the rows of its style layers, so that it is found once and applied where it is wanted; so does one of ``z``
in the layers of a BigGAN-deep, whose space of a noise for each is ``z+``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

from geomgan.brief import brief
from geomgan.errors import OptionError, as_array, check_choice
from geomgan.paths.path import LEAVING, Line, Path, leaving, numpy_of

Layers = tuple[int, int]


class Moves(Protocol):
    """What makes a path of any code: a :class:`Direction`, or a warp that bends on its way.

    ``path(z)(0)`` is the code itself; ``name``, ``space`` and ``method`` are for labels and checks.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def space(self) -> str:
        """The latent space of the codes that it moves."""

    @property
    def method(self) -> str:
        """How it was found."""

    def path(self, z: Any, /) -> Path:
        """The path through the code ``z``."""


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Direction:
    """``z + t · scale · v``: one direction, as a frozen pytree.

    Attributes:
        vector: ``v (d,)``, in the flat code of ``space``; its length is the method's own.
        scale: latent units of one step, if ``|v| = 1``: GANSpace's ``σ``.
        origin: ``(d,)``, the centre that a centred walk passes by; None for zero.
        name: what it is called; static.
        space: the latent space that it is in, ``"z"``, ``"w"``, ``"w+"``, ``"s"``, ``"class"``, ...; static.
        layers: ``(a, b)``, the layers from ``a`` to ``b - 1`` that a direction of ``w`` or ``z`` moves in codes of
            ``w+`` or ``z+``; None for all; static.
        method: how it was found; static.
    """

    vector: Any
    scale: Any = 1.0
    origin: Any = None
    name: str = field(default="direction", metadata={"static": True})
    space: str = field(default="z", metadata={"static": True})
    layers: Layers | None = field(default=None, metadata={"static": True})
    method: str = field(default="", metadata={"static": True})

    def path(self, z: Any, kind: str = "linear", *, centred: bool = False) -> Path:
        """The path through a code: ``path(t)`` are the codes after ``t`` steps.

        Args:
            z: one code ``(d,)``. Of ``w+`` or ``z+``, ``(L d,)``, for a direction of ``w`` or ``z``: its vector is
                added to the rows ``a`` to ``b - 1``, ``w_l + t · scale · v`` (Härkönen et al., 2020), and the others
                stay.
            kind: ``"linear"``, traceable; or ``"spherical"``, the great circle that leaves ``z`` along ``v``, with
                ``t`` the angle in radians, whatever the scale.
            centred: start from where the line comes closest to the origin, ``z - ((z - origin) · v̂) v̂``, so that all
                codes go through the same range of the direction's coordinate (GANSpace's centred strips, and
                ``subtract_projection`` of the Hessian Penalty's pictures).

        Raises:
            OptionError: ``kind`` is unknown, or spherical for single layers, which would turn the others too.
            ValueError: ``z`` fits neither the direction nor its layers.
        """
        check_choice(kind, LEAVING, "kind")
        z = z if isinstance(z, jax.Array) else numpy_of(self.vector).asarray(z, float)
        xp, moved = numpy_of(z, self.vector), self.along(z)
        if centred:
            origin = xp.zeros(np.shape(self.vector)) if self.origin is None else self.origin
            z = _closest(z.reshape(-1, len(self.vector)), moved, xp.asarray(origin, moved.dtype), xp)
        if kind == "linear":
            return Line(z, xp.asarray(self.scale, moved.dtype) * moved)
        if self.layers is not None:
            raise OptionError("kind='spherical' turns all style layers, and this direction is of some; take 'linear'.")
        return leaving(z, np.asarray(moved)[:, None], kind)[0]

    def along(self, z: Any) -> Any:
        """The direction's vector in the flat form of the code ``z``: ``(d,)`` or, of ``w+`` and ``z+``, ``(L d,)``.

        Raises:
            ValueError: ``z`` fits neither the direction nor its layers.
        """
        z = as_array(z, "the code")
        (d,), shape, xp = np.shape(self.vector), np.shape(z), numpy_of(z, self.vector)
        vector = xp.asarray(self.vector, z.dtype)
        if shape == (d,) and self.layers is None:
            return vector
        rows, rest = divmod(shape[0], d) if len(shape) == 1 else (0, 1)
        if self.space not in ("w", "z") or rest or not rows:
            raise ValueError(
                f"{self.name} has {d} dimensions in {self.space}, and the code has shape {shape}. Pass one code of "
                "that space, flat; a direction of w also moves codes of w+, and one of z codes of z+."
            )
        first, last = self.layers or (0, rows)
        if not 0 <= first < last <= rows:
            raise ValueError(
                f"{self.name} is of layers {first} to {last - 1}, and the code has {rows} of {d} numbers. Pass a code "
                f"of {self.space}+ with all layers: of a code of {self.space} that is numpy.tile({self.space}, L)."
            )
        row = np.arange(rows)[:, None]
        return xp.where((row >= first) & (row < last), vector, 0).reshape(-1)


def _closest(rows: Any, moved: Any, origin: Any, xp: Any) -> Any:
    """Codes ``(L, d)`` without what they have along the rows of a direction, seen from the origin; flat again."""
    moved = moved.reshape(rows.shape)
    squares = xp.maximum((moved**2).sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    along = ((rows - origin) * moved).sum(axis=1, keepdims=True) / squares
    return (rows - along * moved).reshape(-1)
