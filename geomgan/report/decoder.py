"""The card of a decoder: photographs through a model's own encoder, and the geometry around their codes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.analysis.decoders import DecoderGeometry
from geomgan.plot import decoders as plots
from geomgan.report.section import Section
from geomgan.report.short import short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path

Found = Mapping[str, DecoderGeometry]


@dataclass(frozen=True)
class Card:
    """What the card is of.

    Attributes:
        images: the photographs, in ``output_range``.
        names: of them.
        output_range: of images.
        distance: its name.
        command: what makes the page again.
    """

    images: np.ndarray
    names: tuple[str, ...]
    output_range: tuple[float, float]
    distance: str
    command: str


def decoder_page(found: Found, card: Card, out: str | os.PathLike[str]) -> tuple[str, Path]:
    """Write the page, its figures and ``summary.json`` of one or more decoders into the folder ``out``.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        StoreError: it cannot be written.
    """
    said = " ".join(_sentence(label, one) for label, one in found.items())
    title = f"The decoder card of {' and '.join(found)} under {card.distance}"
    return said, short_page(title, said, card.command, TRIPLES, card, found, local_path(out), photographs=card.names)


def _sentence(label: str, one: DecoderGeometry) -> str:
    held = np.median(one.dimensions)
    dims = f"{held:.0f} of {one.codes.shape[1]} axes have 90 % of the metric" if held == held else "many axes share it"
    ratio = np.median(one.trace) / np.median(one.prior_trace)
    level = int(np.argmin(np.abs(one.noise - 0.1)))
    return (
        f"{label}: photographs come back at {np.median(one.psnr):.1f} dB; around their codes {dims}, and the metric is "
        f"{ratio:.1f} times that at Gaussian codes of the same mean and deviation; noise of {one.noise[level]:.2g} on "
        f"every entry leaves {np.median(one.noise_psnr[:, level]):.1f} dB."
    )


def _tell_decoders(_: Any, found: Found) -> Section:
    table: dict[str, Any] = {"median over photographs": list(_NUMBERS)}
    for label, one in found.items():
        table[label] = [float(np.median(number(one))) for number in _NUMBERS.values()]
    sizes = ", ".join(f"{label} {' x '.join(map(str, one.shape))}" for label, one in found.items())
    return Section(
        "decoders",
        "In numbers",
        "{images} photographs; latents: {sizes}. A trace is what a unit step along every axis makes in d².",
        {"images": len(next(iter(found.values())).codes), "sizes": sizes},
        table=table,
    )


def _condition(one: DecoderGeometry) -> np.ndarray:
    smallest = np.maximum(one.values[:, -1], one.values[:, 0] * 1e-14)
    ratio: np.ndarray = one.values[:, 0] / smallest
    return ratio


_NUMBERS: Mapping[str, Any] = {
    "decibels of what comes back": lambda one: one.psnr,
    "trace": lambda one: one.trace,
    "trace at Gaussian codes of their mean and deviation": lambda one: one.prior_trace,
    "axes that have 90 % of the trace": lambda one: one.dimensions,
    "first eigenvalue over the last": _condition,
    "strongest channel, over an even share": lambda one: one.channels.max(axis=1) * one.channels.shape[1],
    "share of the picture that the first axis moves": lambda one: one.image_area[:, 0],
    "step along a random direction that the quadratic holds": lambda one: one.trusted[:, -1],
    "worst residual over the first eigenvalue": lambda one: one.residuals,
}


def _tell_photographs(card: Any, found: Found) -> Section:
    columns: dict[str, Any] = {"photograph": list(card.names)}
    columns |= {f"{label}: decibels": one.psnr for label, one in found.items()}
    columns |= {f"{label}: trace": one.trace for label, one in found.items()}
    return Section(
        "photographs",
        "Photographs and what comes back",
        "Each was encoded by the model's own encoder and decoded. The rest of this page is of these codes.",
        table=columns,
    )


def _draw_photographs(card: Any, found: Found) -> Any:
    decoded = {label: one.decoded for label, one in found.items()}
    return plots.reconstructions(card.images, decoded, card.output_range)


def _tell_spectra(_: Any, found: Found) -> Section:
    numbers = {f"{label} {name}": row for label, one in found.items() for name, row in _rows(one.values).items()}
    whole = all(one.complete for one in found.values())
    return Section(
        "spectra",
        "Spectra",
        "{pairs}. The band is the range over the photographs.",
        {"pairs": "All eigenvalues" if whole else "The first eigenvalues, by block Lanczos"},
        numbers=numbers,
    )


def _rows(values: np.ndarray) -> dict[str, Any]:
    return {"median": np.median(values, axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}


def _tell_channels(_: Any, found: Found) -> Section:
    numbers: dict[str, Any] = {f"{label} median": np.median(one.channels, axis=0) for label, one in found.items()}
    first = next(iter(found.values())).channels
    order = np.argsort(-np.median(first, axis=0))
    names = ", ".join(str(c) for c in order[:3])
    return Section(
        "channels",
        "Channels",
        "Of {label} channels {names} move the picture most, {weakest} least; from the weakest to the strongest they "
        "differ {ratio:.1f} times. Bars are from the 10th to the 90th percentile over photographs.",
        {
            "label": next(iter(found)),
            "names": names,
            "weakest": int(order[-1]),
            "ratio": float(np.median(first, axis=0)[order[0]] / np.median(first, axis=0)[order[-1]]),
        },
        numbers=numbers,
    )


def _tell_locality(_: Any, found: Found) -> Section:
    one = next(iter(found.values()))
    pixels = one.shape[1] * one.shape[2]
    last = one.area.shape[1] - 1
    return Section(
        "locality",
        "How local and how fine the axes are",
        "The first axis of {label} covers {first:.2f} of the latent map at {slow:.2f} cycles per latent pixel, the "
        "last that was computed {last:.2f} at {fast:.2f}. In the picture the first covers {image:.2f}. A map of "
        "noise has about 0.38 cycles per pixel.",
        {
            "label": next(iter(found)),
            "first": float(np.median(one.area[:, 0]) / pixels),
            "last": float(np.median(one.area[:, last]) / pixels),
            "slow": float(np.median(one.frequency[:, 0])),
            "fast": float(np.median(one.frequency[:, last])),
            "image": float(np.median(one.image_area[:, 0])),
        },
        numbers={f"{label} {name}": np.median(getattr(one, name), axis=0) for label, one in found.items()
                 for name in ("area", "frequency")},
    )  # fmt: skip


def _tell_holding(_: Any, found: Found) -> Section:
    one = next(iter(found.values()))
    steps = {f"step_{i}": float(np.median(one.trusted[:, i])) for i in range(len(one.axes))}
    parts = ", ".join(
        f"{{step_{i}:.2g}} along {'a random direction' if name == 'random' else f'axis {name}'}"
        for i, name in enumerate(one.axes)
    )
    return Section(
        "holding",
        "How far the quadratic holds",
        f"The squared distance is within 20 % of the quadratic up to steps of {parts} ({{label}}, medians; 0: not even "
        "at the smallest that was tried).",
        {"label": next(iter(found)), **steps},
        numbers={"step": one.steps, **{f"{label} {name}": row for label, x in found.items()
                 for name, row in zip(x.axes, np.median(x.holding, axis=0), strict=True)}},
    )  # fmt: skip


def _tell_noise(_: Any, found: Found) -> Section:
    one = next(iter(found.values()))
    ratio = np.median(one.measured / one.predicted, axis=0)
    return Section(
        "noise",
        "What noise in a latent costs",
        "A diffusion model's latents keep some noise: the last step of a usual schedule leaves about 0.02 to 0.1. In "
        "{label}, noise of deviation {low:.2g} costs {measured_low:.2g} ({db_low:.1f} dB to the clean picture), and "
        "noise of {high:.2g} costs {measured_high:.2g} ({db_high:.1f} dB). That is {ratio_low:.2f} of σ² tr g at the "
        "least noise, and {ratio_high:.2f} of it at the most.",
        {
            "label": next(iter(found)),
            "low": float(one.noise[0]),
            "high": float(one.noise[-1]),
            "measured_low": float(np.median(one.measured[:, 0])),
            "measured_high": float(np.median(one.measured[:, -1])),
            "db_low": float(np.median(one.noise_psnr[:, 0])),
            "db_high": float(np.median(one.noise_psnr[:, -1])),
            "ratio_low": float(ratio[0]),
            "ratio_high": float(ratio[-1]),
        },
        numbers={"noise": one.noise, **{f"{label} {name}": np.median(getattr(x, name), axis=0)
                 for label, x in found.items() for name in ("measured", "predicted", "noise_psnr")}},
    )  # fmt: skip


TRIPLES = (
    Triple("decoders", _tell_decoders),
    Triple("photographs", _tell_photographs, draw=_draw_photographs),
    Triple("spectra", _tell_spectra, draw=lambda _, found: plots.spectra(found)),
    Triple("channels", _tell_channels, draw=lambda _, found: plots.channels(found)),
    Triple("locality", _tell_locality, draw=lambda _, found: plots.locality(found)),
    Triple("holding", _tell_holding, draw=lambda _, found: plots.holding(found)),
    Triple("noise", _tell_noise, draw=lambda _, found: plots.noise(found)),
)
