"""``geomgan geodesic`` and ``geomgan improvement``, as a user meets them."""

import json

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.geodesics import lengths
from geomgan.paths import between, polyline


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


def test_paths_between_seeds_and_codes_of_a_file(tmp_path, capsys):
    G, D = gg.load("digits-dcgan"), gg.distances.euclidean()
    codes = np.asarray(G.sample_latent(jax.random.key(7), 3))
    np.savez(tmp_path / "codes.npz", codes=codes)
    out = tmp_path / "out"
    given = ["geodesic", "digits-dcgan", "--from", "0", f"{tmp_path}/codes.npz:2", "--to", "3", "--segments", "6"]
    given += ["--axes", "3"]
    assert main([*given, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Under euclidean the straight lines between 2 pairs are")
    assert str(out / "report.html") in said
    starts = np.stack([np.asarray(G.sample_latent(jax.random.key(0), 1))[0], codes[2]])
    end = np.asarray(G.sample_latent(jax.random.key(3), 1))[0]
    with np.load(out / "paths.npz") as found:
        np.testing.assert_array_equal(found["codes"][:, 0], starts)
        np.testing.assert_array_equal(found["codes"][:, -1], [end, end])
        np.testing.assert_allclose(
            lengths(G, D, [between(a, end) for a in starts]), found["straight_lengths"], rtol=1e-4
        )
        path = polyline(found["codes"][0], found["steps"][0])
        np.testing.assert_allclose(lengths(G, D, path), found["lengths"][:1], rtol=0.02)
        assert (found["lengths"] < 0.99 * found["straight_lengths"]).all()
        gains = 100 * (1 - found["lengths"] / found["straight_lengths"])
    summary, page = json.loads((out / "summary.json").read_text()), (out / "report.html").read_text()
    assert summary["pairs"]["pair"] == ["1", "2"] or summary["pairs"]["pair"] == ["0 to 3", "codes.npz:2 to 3"]
    np.testing.assert_allclose(summary["pairs"]["shorter by, %"], gains)
    assert f"{gains.mean():.3g} % shorter" in said
    assert all(f'id="{name}"' in page for name in ("sequences", "film", "distance", "correlations", "pairs"))
    gone = np.genfromtxt(out / "figures" / "distance.csv", delimiter=",", names=True)
    np.testing.assert_allclose(gone[gone.dtype.names[1]][-1], summary["pairs"]["straight line"][0], rtol=1e-3)
    assert (out / "figures" / "film.gif").read_bytes()[:3] == b"GIF"
    command = summary["command"]
    assert command.startswith("geomgan geodesic digits-dcgan --from 0 ")
    assert " --to 3 " in command
    parts = {file: file.stat().st_mtime_ns for file in (out / "parts").iterdir()}
    assert main([*given, "--out", str(out)]) == 0  # all is there
    assert parts == {file: file.stat().st_mtime_ns for file in (out / "parts").iterdir()}
    capsys.readouterr()
    assert main([*given, "--out", str(out), "--segments", "9"]) == 2
    assert "segments: stored 6, now 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--from", "0", "--to", "0"], "pairs [1] end where they start; expected two codes"),
        (["--from", "0", "--to", "wrong.npy"], "wrong.npy: codes have shape (1, 5); expected (n, 64)"),
        (["--from", "0", "--to", "nan.npy"], "nan.npy: codes holds 64 NaN"),
        (["--from", "0", "--to", "right.npz:3"], "right.npz holds 2 codes; expected an index from 0 to 1, got 3"),
        (["--from", "0", "--to", "words.npy"], "cannot be read"),
        (["--from", "0", "--to", "none.npy"], "none.npy is no file"),
        (["--from", "0", "--to", "digit.png"], "digits-dcgan has no encoder; digits-vae and digits-bigan have"),
        (["--from", "0", "1", "--to", "2", "3", "4"], "there are 2 starts and 3 ends"),
        (["--from", "0", "--to", "1", "--distance", "gaussian"], "gaussian"),
        (["--from", "0", "--to", "1", "--guess", "round"], "guess"),
        (["--from", "0", "--to", "far.npy", "--segments", "4"], "not finite"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given, message, tmp_path, capsys, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    np.save("wrong.npy", np.zeros((1, 5), np.float32))
    np.save("nan.npy", np.full((1, 64), np.nan, np.float32))
    np.save("words.npy", np.array(["a"]))
    np.save("far.npy", np.full(64, 3e38, np.float32))
    np.savez("right.npz", codes=np.zeros((2, 64), np.float32))
    Image.new("L", (32, 32)).save("digit.png")
    assert main(["geodesic", "digits-dcgan", *given, "--out", "out"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert message in said


def test_the_monte_carlo_experiment(tmp_path, capsys):
    out = tmp_path / "out"
    given = ["improvement", "digits-dcgan", "--pairs", "2", "--step", "2", "--segments", "3", "--direction", "random"]
    assert main([*given, "--no-schedule", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Paths between 2 pairs, 2 apart along random directions, are shorter")
    summary = json.loads((out / "summary.json").read_text())
    gains = np.array(summary["pairs"]["shorter by, %"])
    assert (gains >= 0).all()
    np.testing.assert_allclose(summary["sections"]["improvements"]["shortest (dense)"], gains.mean())
    assert f"by {gains.mean():.2f} % in the mean" in said
    columns = np.genfromtxt(out / "figures" / "improvements.csv", delimiter=",", names=True)
    np.testing.assert_allclose(100 * columns["shortest_dense"], gains)
    assert "--direction random --segments 3 --no-schedule" in summary["command"]
