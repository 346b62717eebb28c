"""The decoder card as a page, of two small autoencoders with random weights."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from geomgan.cli import main
from geomgan.models.photographs import photographs
from tests.weights_convert.torch_autoencoders import AutoencoderKL, tiny_decoder, tiny_encoder
from tests.weights_convert.torch_models import randomise, saved
from weights_convert.convert import convert


def test_two_decoders_side_by_side(tmp_path, capsys):
    (tmp_path / "tae_decoder.pth").write_bytes(saved(randomise(tiny_decoder(3, (4, 4), (1, 1))).state_dict(), True))
    (tmp_path / "tae_encoder.pth").write_bytes(saved(randomise(tiny_encoder(3, (4, 4), (1, 1))).state_dict(), True))
    (tmp_path / "kl.pt").write_bytes(saved(randomise(AutoencoderKL(2, (4, 4), 1, 2)).state_dict(), True))
    convert("autoencoder-tiny", tmp_path / "tae_decoder.pth", tmp_path / "tiny")
    convert("autoencoder-kl", tmp_path / "kl.pt", tmp_path / "kl", {"scaling": "1", "shift": "0", "groups": "2"})
    files = [str(tmp_path / f"{name}.png") for name in ("a", "b")]
    for path, image in zip(files, photographs((12, 16))[[3, 4]], strict=True):
        Image.fromarray(np.rint((image + 1) * 127.5).astype(np.uint8)).save(path)
    out = tmp_path / "out"
    words = ["decoder", str(tmp_path / "tiny"), *files, "--beside", str(tmp_path / "kl"), "--resolution", "8"]
    assert main([*words, "--distance", "mse", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "tiny: photographs come back at" in said
    assert "kl: photographs come back at" in said
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["sections"]) == {
        *("decoders", "photographs", "spectra", "channels", "locality", "holding", "noise")
    }
    assert summary["photographs"] == ["a.png", "b.png"]
    assert 0 < summary["sections"]["locality"]["first"] <= 1
    assert (out / "figures" / "noise.png").is_file()
    page = (out / "report.html").read_text()
    assert f"geomgan decoder {tmp_path / 'tiny'}" in page
