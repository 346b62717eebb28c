"""The page of an interpretability study: one file, without a network, that asks and keeps the answers."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from geomgan.plot.images import displayable

GAP = 2  # white pixels around each picture


def picture_row(samples: Any, output_range: tuple[float, float] | None, pixels: int) -> str:
    """Pictures ``(n, H, W, C)`` side by side, as a base64 PNG.

    Args:
        samples: of a generator; clipped to ``output_range`` here.
        output_range: shown as black to white.
        pixels: larger pictures are reduced to this side; smaller ones are enlarged by a whole factor.
    """
    from PIL import Image

    strip = None
    for i, sample in enumerate(samples):
        picture = Image.fromarray(np.rint(255 * displayable(sample, output_range)).astype(np.uint8))
        side = max(picture.size)
        factor = pixels // side if side <= pixels else pixels / side
        width, height = (max(1, round(factor * length)) for length in picture.size)
        smooth = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
        picture = picture.resize((width, height), smooth)
        if strip is None:
            strip = Image.new("RGB", (len(samples) * (width + 2 * GAP), height + 2 * GAP), "white")
        strip.paste(picture, (i * (width + 2 * GAP) + GAP, GAP))
    if strip is None:
        raise ValueError("samples are empty; expected at least one picture.")
    buffer = io.BytesIO()
    strip.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def study_page(content: Mapping[str, Any]) -> str:
    """The page of a study, which opens from a file and asks nothing of a network.

    Args:
        content: ``study`` (its id), ``title``, ``contact``, ``rows``, ``columns`` and ``trials``, a list of ``id`` and
            ``images`` (one base64 PNG for each row). All of it can be read by participants.
    """
    read = lambda kind: Path(__file__).with_name(f"study.{kind}").read_text(encoding="utf-8")
    template, style, script = read("html"), read("css"), read("js")
    return Template(template).substitute(
        title=html.escape(str(content["title"])),
        policy=f"default-src 'none'; img-src data:; style-src {_only(style)}; script-src {_only(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        content=json.dumps(content).replace("<", "\\u003c"),  # no text can end the script element
    )


def _only(source: str) -> str:
    """The entry of a content security policy that admits this text and nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
