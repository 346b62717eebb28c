"""Damaged ``torch.export`` archives: refused, in bounded memory and time, and nothing in them happens."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import damaged, watched
from tests.weights_convert import torch_attacks
from tests.weights_convert.test_torch_export import made, with_example
from tests.weights_convert.test_torch_export_refusals import rewritten

SETUP = """
import linecache
import jax
from weights_convert.convert import read
linecache.updatecache = lambda *_: []  # the source of JAX, which its errors quote, is read for nothing
jax.config.update("jax_enable_compilation_cache", False)
attempt = lambda path: read("torch-export", path)
"""
JUNK = (None, -1, 2**63 - 1, 10**30, 1.5, "", "z", "Infinity", [], {}, True, [[1]], {"as_int": -3}, {"as_none": 1})


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON tree with every key in it."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [place for key in keys for place in ((tree, key), *places(tree[key]))]


def altered(text: bytes, draw: random.Random) -> bytes:
    """JSON with 1 to 3 values put in the place of others, lost, or moved from elsewhere in it."""
    tree = json.loads(text)
    for _ in range(draw.randint(1, 3)):
        (held, key), (other, there) = draw.choice(places(tree)), draw.choice(places(tree))
        kind = draw.choice(("junk", "lost", "moved", "number"))
        if kind == "lost":
            del held[key]
        elif kind == "number" and isinstance(held[key], int):
            held[key] = held[key] + draw.choice((-1, 1, 7, 1 << 20, -(1 << 40)))
        else:
            held[key] = json.loads(json.dumps(other[there])) if kind == "moved" else draw.choice(JUNK)
    return json.dumps(tree).encode()


def files(count: int) -> tuple[bytes, dict[str, bytes]]:
    """A good archive, and damaged ones: in half of them the bytes, in the others what the texts say."""
    module, codes = made("unet")
    good, draw = with_example(module, codes[0]), random.Random(0)
    texts = ("models/model.json", "models/model.json", "weights_config.json", "extra/geomgan.json")
    change = lambda text: altered(text, draw)
    spoilt = {f"text {k}": rewritten(good, change, texts[k % 4]) for k in range(count // 2)}
    return good, {f"bytes {k}": data for k, data in enumerate(damaged(good, count - count // 2))} | spoilt


def check(folder: Path, count: int) -> None:
    good, spoilt = files(count)
    outcomes = watched(folder, SETUP, spoilt, good, 1 << 30, converting=True)
    read = sum(outcome.text == "read" for outcome in outcomes.values())
    assert read < 0.4 * count  # a name, a line of the user's program or a type that is not looked at may be anything
    assert max(outcome.seconds for outcome in outcomes.values()) < 30


def test_damaged_archives_raise_nothing_else(tmp_path):
    check(tmp_path, 100)


@pytest.mark.slow
def test_thousands_of_damaged_archives_raise_nothing_else(tmp_path):
    """Slow: each of 2,000 graphs is traced."""
    check(tmp_path, 2_000)


def test_attacks_in_an_archive_do_nothing(tmp_path):
    """Whatever stands where the pickles of an archive are."""
    module, codes = made("dcgan")
    good = with_example(module, codes[0])
    attacks = {
        name: rewritten(good, lambda _, data=data: data, "data/sample_inputs/model.pt")
        for name, data in list(torch_attacks.attacks().items())[::9]
    }
    outcomes = watched(tmp_path, SETUP, attacks, good, 1 << 30, converting=True)
    assert {outcome.text for outcome in outcomes.values()} == {"read"}
