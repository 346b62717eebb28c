"""Experiments: a training by the command line, resumed, walked and ranked, in the published layout."""

import csv
import json

import jax
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main
from geomgan.directions.warp_walks import samples_of_codes
from geomgan.errors import CheckpointError
from geomgan.zoo import load_warps
from geomgan.zoo.catalogue import WARPED, catalogue
from geomgan.zoo.experiments import experiment_name, published_args

TRAIN = ["train-warps", "digits-dcgan", "-K", "3", "-D", "4", "--reconstructor-type", "LeNet", "--batch-size", "4"]
TRAIN += ["--min-shift-magnitude", "1", "--max-shift-magnitude", "2", "--ckp-freq", "2"]
NAME = "digits-dcgan-LeNet-K3-D4-LearnGammas-eps1_2"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A training of two steps, continued to three."""
    root = tmp_path_factory.mktemp("experiments")
    for steps in ("2", "3"):
        assert main([*TRAIN, "--max-iter", steps, "--out", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def G():
    return gg.load("digits-dcgan")


def test_the_folders_are_the_published_ones(experiment, G, tmp_path):
    complete = experiment / "complete" / NAME
    args = json.loads((complete / "args.json").read_text())
    assert (args["num_support_sets"], args["num_support_dipoles"], args["reconstructor_type"]) == (3, 4, "LeNet")
    assert (args["max_iter"], args["learn_alphas"], args["learn_gammas"]) == (3, False, True)
    assert "train-warps digits-dcgan --num-support-sets 3" in (complete / "command.sh").read_text()
    stats = json.loads((complete / "stats.json").read_text())
    assert set(stats["3"]) == {"accuracy", "classification_loss", "regression_loss", "total_loss"}
    assert not (complete / "models" / "training.npz").exists()
    found = load_warps(complete, G)
    assert found.predictor.kind == "lenet"
    whole = tmp_path / "whole"
    main([*TRAIN, "--max-iter", "3", "--out", str(whole)])
    again = load_warps(whole / "complete" / NAME, G)
    for a, b in zip(jax.tree.leaves(found[:2]), jax.tree.leaves(again[:2]), strict=True):
        np.testing.assert_array_equal(a, b)  # resumed at 2, or uninterrupted


def test_other_options_do_not_continue_a_training(experiment, capsys):
    assert main([*TRAIN, "--max-iter", "4", "--support-set-lr", "0.1", "--out", str(experiment)]) == 2
    assert "set-lr: stored 0.0001, now 0.1" in capsys.readouterr().err


def test_walks_are_files_whose_pictures_belong_to_their_codes(experiment, G, tmp_path, capsys):
    main(["pool", "digits-dcgan", "--num-samples", "2", "--out", str(tmp_path / "pool")])
    folder, out = experiment / "complete" / NAME, tmp_path / "walks"
    command = ["traverse", "digits-dcgan", "--warps", str(folder), "--pool", str(tmp_path / "pool"), "--paths", "0,2"]
    command += ["--eps", "0.3", "--shift-steps", "4", "--shift-leap", "2", "--out", str(out)]
    assert main(command) == 0
    assert "2 paths from 2 codes, 5 pictures each, 1.2 to each side" in capsys.readouterr().out
    code = sorted((tmp_path / "pool").glob("0*"))[1].name
    codes = np.load(out / code / "paths_latent_codes.npy")
    assert codes.shape == (2, 5, 64)
    samples = samples_of_codes(G, codes[1])
    for i, sample in enumerate(samples):
        shown = np.asarray(Image.open(out / code / "paths_images" / "path_002" / f"{i:06d}.png"))
        expected = np.rint(255 * np.clip((sample[..., 0].astype(float) + 1) / 2, 0, 1))
        np.testing.assert_array_equal(shown, expected)
    film = Image.open(out / "paths_gifs" / "path_002.gif")
    assert film.n_frames == 9  # there and back
    assert (out / "paths_strips" / "path_000.png").exists()
    rows = list(csv.DictReader((out / "nonlinearity.csv").read_text().splitlines()))
    assert float(rows[0]["arc over chord"]) >= 1


def test_ranking_writes_a_page_with_tables(experiment, tmp_path, capsys):
    command = ["rank", "digits-dcgan", "--warps", str(experiment / "complete" / NAME), "--attributes"]
    command += ["brightness,thickness", "--codes", "6", "--shift-steps", "2", "--top-k", "2", "--out", str(tmp_path)]
    assert main([*command, "--film", "gif"]) == 0
    said = capsys.readouterr().out
    assert "Of 3 paths at 6 codes, what follows the position best:" in said
    page = (tmp_path / "report.html").read_text()
    assert "Thickness" in page
    rows = list(csv.DictReader((tmp_path / "top" / "thickness.csv").read_text().splitlines()))
    assert len(rows) == 2
    assert float(rows[0]["95 % interval low"]) <= float(rows[0]["pearson"]) <= float(rows[0]["95 % interval high"])
    assert (tmp_path / "top" / "thickness.md").read_text().startswith("| rank |")
    assert list((tmp_path / "films").glob("brightness-warp-*.gif"))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["missing"] == {"brightness": 0, "thickness": 0}


def test_directions_rank_in_the_same_way(G, tmp_path, capsys):
    from geomgan.directions import direction_set, save

    save(direction_set(G, np.eye(64)[:, :2], "axes"), tmp_path / "axes.npz")
    command = ["rank", "digits-dcgan", str(tmp_path / "axes.npz"), "--attributes", "brightness", "--codes", "2"]
    assert main([*command, "--shift-steps", "2", "--out", str(tmp_path / "page")]) == 0
    assert "Of 2 paths at 2 codes" in capsys.readouterr().out
    assert main(["traverse", "digits-dcgan"]) == 2
    assert "neither DIRECTIONS nor --warps" in capsys.readouterr().err


def test_names_and_what_cannot_be(experiment, tmp_path, capsys):
    from geomgan.directions import JointOptions

    how = {"paths": 120, "dipoles": 256, "learn_weights": False, "learn_widths": True, "width": None}
    how |= {"predictor": "resnet", "resize": None, "steps": 5, "options": JointOptions(least=0.1, most=0.2)}
    name = experiment_name("BigGAN-239", published_args("BigGAN-239", how))
    assert name == "BigGAN-239-ResNet-K120-D256-LearnGammas-eps0.1_0.2"
    assert set(WARPED.values()) <= set(catalogue())
    small = gg.Generator.from_function(lambda params, z: z.reshape(1, 3, 1), (), 3)
    with pytest.raises(CheckpointError, match="has paths of 64 dimensions"):
        load_warps(experiment / "complete" / NAME, small)
    for words, said in (
        (["-K", "0", "-D", "4"], "paths is 0; expected a positive integer"),
        (["-K", "3", "-D", "0"], "dipoles is 0; expected a positive integer"),
        (["-K", "3", "-D", "4", "--min-shift-magnitude", "0.5"], "magnitudes from 0.5 to 0.45"),
    ):
        more = ["--reconstructor-type", "LeNet", "--out", str(tmp_path)]
        assert main(["train-warps", "digits-dcgan", *words, *more]) == 2
        assert said in capsys.readouterr().err
        assert not list(tmp_path.glob("wip/*"))
