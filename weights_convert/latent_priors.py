"""What the files of a diffusion model's autoencoder do not have: the convention of its latents, and their law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators import Gaussian, Network
from geomgan.generators.latent_maps import fitted_prior
from geomgan.models.build import build
from geomgan.models.families import Family
from geomgan.models.photographs import SIDE, photographs
from weights_convert.convert import Converted
from weights_convert.options import Options, number


def convention(
    options: Options, latents: int, said: Mapping[str, Any] | None = None, *, asked: bool = True
) -> tuple[float | None, float]:
    """Scaling and shift, of ``config.json`` or of the user; with ``asked`` an error where neither says them."""
    given = said or {}
    known = [
        float(x) if isinstance(x := given.get(f"{name}_factor"), int | float) else None for name in ("scaling", "shift")
    ]
    if asked or "scaling" in options or known[0] is not None:
        scaling = options.ask("scaling", number(1e-6, 1e6), known=known[0])
    else:
        scaling = None
    likely = 0.0 if latents <= 4 or known[0] is not None else None  # of 16 channels and more, both are shifted
    if scaling is None and "shift" in options:
        raise OptionError("shift is given without scaling. Give --option scaling=... too.")
    shift = 0.0 if scaling is None else options.ask("shift", number(-1e6, 1e6), known=known[1], assumed=likely)
    return scaling, shift


def with_prior(family: Family, made: Converted) -> Converted:
    """The model with the law of its latents, fitted to photographs by its own encoder; N(0, I) where it has none."""
    card: dict[str, Any] = {"family": family.name, **made.card}
    if "encoder" not in made.params:
        return replace(made, card={**made.card, "prior": UNFITTED})
    unit = card["config"]["factor"]
    side = max(SIDE // unit, 2) * unit
    encoder = build(card, made.params, "encoder", family.name, {"resolution": side})
    assert isinstance(encoder, Network)
    shape = (card["config"]["latent_channels"], side // unit, side // unit)
    maps = []
    for image in photographs((side, side)):
        output = encoder(image)
        code = output.mean if isinstance(output, Gaussian) else output
        maps.append(np.asarray(code, np.float64).reshape(shape).transpose(1, 2, 0))
    if not np.isfinite(maps).all():
        raise CheckpointError("the encoder's code of a photograph is not finite. The file is damaged.")
    prior = fitted_prior(np.stack(maps))
    deviations = np.sqrt((prior["mixing"] ** 2).sum(axis=1))
    said = FITTED.format(
        count=len(maps),
        side=side,
        mean=prior["mean"].mean(),
        low=deviations.min(),
        high=deviations.max(),
        weak=prior["correlation"].min(),
        strong=prior["correlation"].max(),
    )
    return replace(made, card={**made.card, "prior": said}, params={**made.params, "prior": prior})


UNFITTED = (
    "z ~ N(0, I): no encoder was there to fit a law to encoded photographs, where the metric can be many times larger"
)
FITTED = (
    "random parts of {count} encoded photographs of {side} pixels; of larger images a Gaussian fitted to them: "
    "channels of mean {mean:.2f} on average, of deviations {low:.2f} to {high:.2f} and the photographs' covariance, "
    "whose components correlate by {weak:.2f} to {strong:.2f} between neighbouring latent pixels, by powers beyond"
)
