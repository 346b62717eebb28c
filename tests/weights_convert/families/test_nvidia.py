"""Official pickles as hostile input: nothing in them runs, and damage raises the project's error only."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.hostile import attacks, damaged, watched
from tests.restricted_pickle.test_attacks import bombs
from tests.weights_convert import torch_attacks
from tests.weights_convert.torch_attacks import MODULE, SMALL, module, official, replaced, with_discriminator
from tests.weights_convert.torch_models import saved
from tests.weights_convert.torch_stylegan import StyleGAN2
from weights_convert.convert import convert

HARM = "import os\nos.system('touch harmed')\nopen('harmed', 'w')\n"


# --- Attacks ---


def malicious() -> dict[str, bytes]:
    """Files with program text or a call where a network or a storage is expected."""
    made = {f"D {name}": with_discriminator(data[:-1]) for name, data in attacks().items()}
    for name, data in torch_attacks.attacks().items():
        made[f"storage {name}"] = with_discriminator(torch_attacks.nested(data))
    for name in ("os system", "builtins exec", "builtins getattr"):
        word = b"c" + name.replace(" ", "\n").encode() + b"\n"
        call = word + b"X\x0c\x00\x00\x00touch harmed\x85R"
        made |= {
            f"{name} before": official()[:2] + call + b"0" + official()[2:],
            f"{name} after": official()[:-1] + call + b"0.",
            f"{name} of the class": with_discriminator(module(b"}U\x0c__setstate__" + word + b"s")),
            f"{name} of a dictionary": with_discriminator(b"cdnnlib\nEasyDict\n)\x81U\x0b__getattr__" + word + b"s"),
            f"{name} of everything": official()[:-1] + b"}U\x0c__setstate__" + word + b"sb.",
        }
    return made


def inert() -> dict[str, bytes]:
    """Files with program text and special names that only a program that runs them could notice."""
    text = b"X" + struct.pack("<I", len(HARM)) + HARM.encode() + b"\x94"
    special = b"}(" + b"".join(b"\x8c" + bytes([len(n)]) + n + b"N" for n in (b"__reduce__", b"__class__")) + b"u"
    in_state = b"}\x8c\x0c__setstate__" + MODULE + b")Rs"
    meta = replaced(b"\x8c\nclass_name\x94\x8c\tGenerator\x94", b"\x8c\nclass_name\x94" + text)
    return {
        "clean": official(),
        "text": replaced(b"\x8c\nmodule_src\x94\x8c\x00\x94", b"\x8c\nmodule_src\x94" + text),
        "class name": meta,
        "special names": with_discriminator(module(special)),
        "state": with_discriminator(module(in_state)),
        "items": with_discriminator(b"cdnnlib\nEasyDict\n)\x81" + special[1:]),
        "called": with_discriminator(MODULE + text[:-1] + b"\x85R"),
        "reconstructed": with_discriminator(b"ccopyreg\n_reconstructor\n" + MODULE + b"c__builtin__\nobject\nN\x87R"),
    }


CONVERTING = """
from weights_convert.convert import convert
attempt = lambda path: convert("nvidia-stylegan2", path, f"{sys.argv[3]}/{pathlib.Path(path).name}")
"""


def test_malicious_pickles_of_the_official_layout_run_nothing(tmp_path):
    refused, harmless = malicious(), inert()
    outcomes = watched(tmp_path, CONVERTING, refused | harmless, official(), 1 << 30, converting=True)
    for name, outcome in outcomes.items():
        expected = "^read$" if name in harmless else "which is not data and is refused|copyreg extension"
        assert re.search(expected, outcome.text), (name, outcome)
    indices = [f"{index:05}" for index, name in enumerate(outcomes) if name in harmless]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*indices, "good"]
    weights = {gg.zoo.card(tmp_path / "out" / index)["weights_sha256"] for index in [*indices, "good"]}
    assert len(weights) == 1


# --- Too much ---


def sharing(levels: int) -> bytes:
    """A network of modules, each of which holds the next one twice."""
    inner = module(b"}\x8c\x0b_parameters}s")
    for _ in range(levels):
        put = inner + b"r\x00\x00\x01\x000"
        inner = put + module(b"}\x8c\x08_modules}(\x8c\x01aj\x00\x00\x01\x00\x8c\x01bj\x00\x00\x01\x00us")
    return inner


def chained(levels: int) -> bytes:
    """A network of modules, each of which holds the next one."""
    start, end = MODULE + b")\x81}\x8c\x08_modules}\x8c\x01a", b"ssb"
    return start * levels + module(b"}") + end * levels


def with_generator(opcodes: bytes) -> bytes:
    return b"\x80\x04}\x8c\x05G_ema" + opcodes + b"s."


LAUGHS = b"K\x01" + b"2\x86" * 18  # 2 ** 18 numbers, and 38 opcodes
CYCLE = b"\x8c\x08_modules}\x8c\x01aj\x00\x00\x01\x00ss"
TOO_MUCH = {
    "a cycle": (with_generator(MODULE + b")\x81r\x00\x00\x01\x00}" + CYCLE + b"b"), "contains itself"),
    "deep": (with_generator(chained(200)), "nested more than 100 deep"),
    "deeper": (with_generator(chained(50_000)), "nested more than 100 deep"),
    "shared": (with_generator(sharing(16)), "more than 20000 modules and tensors"),
    "much shared": (with_generator(sharing(24)), "shared ones counted each time"),
    "long names": (
        with_generator(chained(20).replace(b"\x8c\x01a", b"\x8c\xc8" + b"a" * 200)),
        "text of at most 256 characters",
    ),
    "no names": (with_generator(chained(2).replace(b"\x8c\x01a", b"K\x01")), "a module whose parts have no names"),
    "no attributes": (with_generator(MODULE + b")\x81"), "without attributes"),
    "laughs": (with_discriminator(b"K\x01" + b"2\x86" * 60), "entries, shared ones counted each time"),
    "a class": (with_generator(MODULE), "without attributes"),
    "memo index": (official()[:-1] + b"Nr\xff\xff\xff\xff0.", "read"),
    "laughs as an argument": (
        official(activation="LAUGHS").replace(b"\x8c\x06LAUGHS", LAUGHS),
        "the network has the activation",
    ),
}
BOMBS = ("bytes", "bytes signed", "bytearray", "frame", "long", "tuples", "key", "copies")


def test_pickles_that_claim_too_much_are_refused_quickly_in_little_memory(tmp_path):
    deep = torch_attacks.legacy(b"N.")
    for _ in range(50):
        deep = torch_attacks.legacy(torch_attacks.nested(deep) + b".")
    made = TOO_MUCH | {"files": (with_discriminator(torch_attacks.nested(deep)), "nested more than 3 deep")}
    made |= {name: (with_discriminator(data[:-1]), says) for name, (data, says) in bombs().items() if name in BOMBS}
    files = {name: data for name, (data, _) in made.items()}
    for name, outcome in watched(tmp_path, CONVERTED, files, official(), 1 << 28, converting=True).items():
        assert made[name][1] in outcome.text, (name, outcome)
        assert outcome.seconds < 4, (name, outcome)


# --- Damage ---

CONVERTED = """
from weights_convert.convert import read  # what is compiled and written has its own tests
def attempt(path):
    family = "stylegan2" if b"g_ema" in pathlib.Path(path).read_bytes() else "nvidia-stylegan2"
    read(family, path)
"""


def checkpoints() -> dict[str, bytes]:
    """A small one in each of the formats that are read."""
    state = {"g_ema": StyleGAN2(3, 4, (4, 3)).state_dict(), "latent_avg": torch.ones(4)}
    return {"official": official(), "zip": saved(state, True, checksums=False), "legacy": saved(state, False)}


def check_damage(tmp_path: Path, count: int) -> None:
    """Convert ``count`` damaged copies of every checkpoint."""
    copies = {
        f"{kind} {k}": data
        for kind, good in checkpoints().items()
        for k, data in enumerate(damaged(good, count, seed=len(good)))
    }
    outcomes = watched(tmp_path, CONVERTED, copies, official(), 1 << 28, converting=True)
    assert not [name for name, outcome in outcomes.items() if "MemoryError" in outcome.text]
    slowest, largest = (max(outcomes.values(), key=lambda outcome: outcome[part]) for part in (1, 2))
    assert slowest.seconds < 2, slowest
    assert largest.grown < 1 << 26, largest
    for kind in checkpoints():
        refused = [
            outcome.text for name, outcome in outcomes.items() if name.startswith(kind) and outcome.text != "read"
        ]
        print(f"{kind}: {len(refused)} of {count} damaged files refused")
        assert count / 2 < len(refused) < count
    print(f"slowest {slowest.seconds:.2f} s, largest growth {largest.grown >> 20} MB")


def test_damaged_files_raise_nothing_else(tmp_path):
    check_damage(tmp_path, 40)


@pytest.mark.slow
def test_thousands_of_damaged_files_raise_nothing_else(tmp_path):
    check_damage(tmp_path, 700)


def changed(**tensors: torch.Tensor) -> dict[str, torch.Tensor]:
    return SMALL.state_dict() | {name.replace("__", "."): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            changed(synthesis__b4__resample_filter=torch.ones(0, 1 << 31)),
            r"an array without entries of shape \(0, 2147",
        ),
        (changed(mapping__embed__weight=torch.ones(0, 1 << 20)), r"mapping\.embed\.weight has no entries"),
        (changed(mapping__embed__weight=torch.ones(1, 4, 2)), "left over|do not fit"),
        (changed(mapping__embed__weight=torch.ones(1, 100_000)), "has .* parameters, but the file only"),
        (changed(synthesis__b4__const=torch.ones(4, 4, 4, dtype=torch.complex64)), "b4.const has complex numbers"),
        (changed() | {"\x1b[2J": torch.ones(1)}, r"a tensor has the name '\\x1b\[2J'"),
        (changed() | {"a" * 300: torch.ones(1)}, "a tensor has the name 'aaa.*expected up to 256 letters"),
    ],
    ids=["empty filter", "empty classes", "axes", "many classes", "complex", "escape", "long name"],
)
def test_tensors_that_no_model_has(tmp_path, state, says):
    if state["mapping.embed.weight"].shape == (1, 100_000):
        state["mapping.fc0.weight"] = torch.ones(100_000, 4)
    (tmp_path / "a.pt").write_bytes(saved({"G_ema": state}))
    with pytest.raises(CheckpointError, match=says):
        convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
