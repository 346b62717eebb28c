"""The lines of the gallery's pages run, with small models and few codes in place of the page's."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec

import jax
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from tests.fixtures import ROOT
from tests.without_torch import REASON
from weights_convert.convert import convert

PAGES = sorted((ROOT / "docs" / "gallery").glob("*.md"))
BUILT = {"consistency", "isotropy", "layers", "shorter_paths"}  # with the site


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the lines of a page with some words replaced; gives its names and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name, *smaller):
        (lines,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / f"docs/gallery/{name}.md").read_text(), re.M | re.S)
        for old, new in smaller:
            assert lines.count(old) == 1, old
            lines = lines.replace(old, new)
        names: dict = {}
        with plt.rc_context():
            exec(compile(lines, f"{name}.md", "exec"), names)
        plt.close("all")
        with Image.open(tmp_path / f"{name}.webp") as picture:
            assert min(picture.size) >= 300
        return names, capsys.readouterr().out

    return run


def test_every_page_is_in_the_index_and_run_here():
    index = (ROOT / "docs" / "gallery.md").read_text()
    for page in PAGES:
        assert f"gallery/{page.name}" in index
        assert f"gallery/{page.stem}.webp" in index
        assert f"gallery/{page.name}" in (ROOT / "mkdocs.yml").read_text()
        assert f"test_{page.stem}" in globals()
        picture = page.with_suffix(".webp")
        assert picture.stat().st_size < 150_000
        assert picture.name in page.read_text()


DCGAN = ('"faces64"', '"digits-dcgan"')
LPIPS = ('lpips("alex")', "mse()")
RESIZED = ('lpips("alex", resize=64)', "mse()")


def test_axes_of_faces(ran):
    names, printed = ran("axes_of_faces", DCGAN, LPIPS, ("key(0), 16)", "key(0), 8)"))
    walks, G = names["walks"], names["G"]
    steps = np.abs(np.diff(walks.distances, axis=1))
    np.testing.assert_allclose(steps, walks.gaps[0], rtol=0.15)  # equal steps of distance, in all rows
    far = np.sqrt(((walks.samples - np.asarray(G(names["z"][7]))) ** 2).mean(axis=(2, 3, 4)))
    np.testing.assert_allclose(far, walks.distances, rtol=1e-4, atol=1e-6)
    values = names["mean"].values
    assert f"{np.sqrt(values[0] / values[-1]):.0f} times" in printed


def test_isotropy(ran):
    names, printed = ran("isotropy", RESIZED)
    law, axes, walks = names["law"], names["axes"], names["walks"]
    assert law.samples.max() < axes.values[0]
    assert law.observed == pytest.approx(2 / 66 * axes.values.var(), rel=0.2)
    everything, random = (float(decades) for decades in re.findall(r"([\d.]+) decades", printed))
    assert random < everything / 3
    ends = walks.distances[:, [0, -1]].mean(axis=1)
    assert ends[-1] < ends[:3].min() < ends[3]  # the last axis, random directions, the first axis


def test_consistency(ran):
    names, _ = ran("consistency", RESIZED, ("key(0), 24)", "key(0), 11)"))
    trained, shuffled = (names["alike"][name].summary().mean for name in ("trained", "shuffled"))
    assert trained > 0.7
    assert shuffled < trained - 0.3
    np.testing.assert_allclose(np.linalg.norm(names["axis"]), 1, rtol=1e-5)


def test_layers(ran):
    names, printed = ran("layers", RESIZED)
    through = names["through"]
    assert through.names == ("block1", "block2", "block3", "sample")
    np.testing.assert_allclose(through.amplification[0, 0], names["layers"].values[0], rtol=1e-3)
    shares = [float(share) for share in re.findall(r"([\d.]+) %", printed)]
    assert shares[-1] < shares[0] / 3  # later layers make the differences larger
    ends = names["walks"].distances[:, [0, -1]].mean(axis=1)
    assert ends[:3].min() > 3 * ends[3:].max()


def test_shorter_paths(ran):
    names, printed = ran("shorter_paths", ('classifier_features("digits", "dense1", resize=32)', "euclidean()"),
                         ("segments=16", "segments=8"), ("1.3, 13)", "1.3, 3)"))  # fmt: skip
    G, (line, path) = names["G"], names["ways"].values()
    samples = [np.asarray(jax.vmap(G)(way(np.linspace(0, 1, 801)).astype(np.float32))) for way in (line, path)]
    straight, found = (np.sqrt((np.diff(x, axis=0) ** 2).sum(axis=(1, 2, 3))).sum() for x in samples)
    np.testing.assert_allclose((straight, found), names["lengths"], rtol=0.02)
    assert found < straight
    assert int(re.search(r"(\d+) % shorter", printed)[1]) == pytest.approx(100 * (1 - found / straight), abs=2)
    for way in (line, path):
        np.testing.assert_allclose(way(np.array([0.0, 1.0])), [names["start"], names["end"]], atol=1e-5)


def test_found_direction(ran):
    names, printed = ran("found_direction", DCGAN, ('f"notebooks', f'f"{ROOT}/notebooks'))
    G, rows = names["G"], [*names["rows"].values()]
    push = jax.vmap(lambda z, v: jax.jvp(G, (z,), (v,))[1], (0, None))
    pushed = np.stack([np.asarray(push(names["z"], v.astype("f4")), np.float64).ravel() for v in rows])
    speeds = np.linalg.norm(pushed, axis=1)
    assert speeds.argmax() == 0  # nothing is faster than the metric's first axis
    cosines = pushed[1:] @ pushed[0] / speeds[1:] / speeds[0]
    told = [float(cosine) for cosine in re.findall(r"cosine ([\d.]+)", printed)]
    np.testing.assert_allclose(cosines, told, atol=6e-3)
    assert min(told) > 0.4


def test_warped_path(ran):
    trained = 'gg.zoo.load_warps("experiments/complete/digits-dcgan-LeNet-K16-D32-LearnGammas-eps0.5_1.5", G).warps'
    untrained = "gg.directions.initial_warps(jax.random.key(1), 64, 10, 8)"
    names, printed = ran("warped_path", RESIZED, (trained, untrained))
    codes, lines = names["codes"], names["lines"]
    np.testing.assert_allclose(np.linalg.norm(np.diff(codes, axis=1), axis=2), 0.1, rtol=1e-3)
    np.testing.assert_allclose(codes[:, 40], names["z"], atol=1e-6)
    apart = np.linalg.norm(codes - np.stack([line(names["t"]) for line in lines]), axis=2)
    assert apart[:, 38:43].max() < 0.01  # the lines leave in the direction of the warps
    assert f"ends {apart[:, -1].mean():.1f} latent units" in printed
    chords = np.linalg.norm(codes[:, -1] - codes[:, 0], axis=1)
    assert chords.max() < 8  # of walks of length 8


def test_diffusion_decoder(ran, tmp_path):
    pytest.importorskip("torch", reason=REASON)
    from tests.weights_convert.torch_autoencoders import tiny_decoder, tiny_encoder
    from tests.weights_convert.torch_models import randomise, saved

    shape = 4, (4, 4, 4, 4), (1, 1, 1, 1)  # channels of the latent, widths and blocks at four scales
    for seed, (part, network) in enumerate({"decoder": tiny_decoder(*shape), "encoder": tiny_encoder(*shape)}.items()):
        (tmp_path / f"tae_{part}.pth").write_bytes(saved(randomise(network, seed=seed).state_dict(), True))
    convert("autoencoder-tiny", tmp_path / "tae_decoder.pth", tmp_path / "models" / "taef2")
    names, printed = ran(
        "diffusion_decoder",
        LPIPS,
        ("resolution=128", "resolution=32"),
        ("(128, 128)", "(32, 32)"),
        ("12 * v", "0.5 * v"),
    )
    told = {name: float(d) for name, d in re.findall(r"(.+): .* ([\d.]+)", printed)}
    assert list(told) == ["axis 1", "axis 3", "axis 4", "axis 6", "random"]
    z, axes, pixels = names["z"], names["axes"], lambda code: np.asarray(names["G"](code), np.float64)
    assert z.shape == (4 * 4 * 4,)
    near = [np.sqrt(((pixels(z + 0.01 * v) - pixels(z - 0.01 * v)) ** 2).mean()) / 0.02 for v in axes.vectors.T[:6]]
    np.testing.assert_allclose(near, np.sqrt(axes.values[:6]), rtol=0.02)  # of central differences
    assert told["random"] < told["axis 1"]


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs MkDocs: `make docs`, or pip install 'geomgan[docs]'")
def test_the_build_takes_what_the_lines_make_now(tmp_path):
    from mkdocs.exceptions import PluginError

    hooks = import_module("mkdocs_gallery")
    page = tmp_path / "small.md"
    page.write_text("```python\nopen('small.webp', 'wb').write(b'new')\nprint('now')\n```\n\n```text\nthen\n```\n")
    assert hooks.made(page, tmp_path) == (b"new", "now\n")
    assert hooks.is_here('gg.load("digits-vae")')
    assert not hooks.is_here('gg.load("digits-vae")\ngg.load("models/taef2", resolution=64)')
    assert {page.stem for page in PAGES if hooks.is_here(hooks.lines_of(page))} == BUILT
    assert hooks.with_printed(page.read_text(), "now\n") == page.read_text().replace("then", "now")
    (tmp_path / "small.webp").unlink()
    for wrong in ("1 / 0", "x = 1"):
        page.write_text(f"```python\n{wrong}\n```\n")
        with pytest.raises(PluginError, match=r"ZeroDivisionError|wrote no small\.webp"):
            hooks.made(page, tmp_path)
