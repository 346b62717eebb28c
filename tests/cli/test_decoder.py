"""The decoder card as a page, of a small autoencoder beside itself in another convention."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from geomgan.cli import main
from geomgan.models.photographs import photographs
from tests.weights_convert.torch_autoencoders import AutoencoderKL
from tests.weights_convert.torch_models import randomise, saved
from weights_convert.convert import convert


def test_two_decoders_side_by_side(tmp_path, capsys):
    (tmp_path / "kl.pt").write_bytes(saved(randomise(AutoencoderKL(2, (4, 4), 1, 2)).state_dict(), True))
    for name, scaling in (("one", "1"), ("twice", "2")):
        convert(
            "autoencoder-kl", tmp_path / "kl.pt", tmp_path / name, {"scaling": scaling, "shift": "0", "groups": "2"}
        )
    files = [str(tmp_path / f"{name}.png") for name in ("a", "b")]
    for path, image in zip(files, photographs((12, 16))[[3, 4]], strict=True):
        Image.fromarray(np.rint((image + 1) * 127.5).astype(np.uint8)).save(path)
    out = tmp_path / "out"
    words = ["decoder", str(tmp_path / "one"), *files, "--beside", str(tmp_path / "twice"), "--resolution", "8"]
    assert main([*words, "--distance", "mse", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "one: photographs come back at" in said
    assert "twice: photographs come back at" in said
    summary = json.loads((out / "summary.json").read_text())
    names = ["decoders", "photographs", "spectra", "channels", "locality", "holding", "noise"]
    assert list(summary["sections"]) == names
    assert summary["photographs"] == ["a.png", "b.png"]
    assert all((out / "figures" / f"{name}.png").is_file() for name in names[1:])
    rows = np.genfromtxt(out / "figures" / "spectra.csv", delimiter=",", names=True)
    np.testing.assert_allclose(
        rows["one_median"], 4 * rows["twice_median"], rtol=2e-3, atol=1e-6 * rows["one_median"][0]
    )
    assert summary["command"].startswith(f"geomgan decoder {tmp_path / 'one'} {files[0]} {files[1]} --resolution 8")
