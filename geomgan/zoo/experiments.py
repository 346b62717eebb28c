"""Trainings of warps in folders that are named and laid out as those of WarpedGANSpace.

``experiments/wip/NAME``        while it trains: the same call goes on there;
``experiments/complete/NAME``   when it is finished: what is needed to use it.

``args.json`` has the options under their published names, ``command.sh`` the command, ``stats.json`` what was logged:
step -> accuracy, classification_loss, regression_loss, total_loss. In ``models`` are ``support_sets.npz`` and
``reconstructor.npz``, and while it trains the checkpoint and the loss curve.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from geomgan.directions.joint_training import JointOptions
from geomgan.directions.warped_training import BALANCED, PREDICTOR, WARPS, TrainedWarps, train_warps
from geomgan.generators import Generator
from geomgan.runs.files import local_path, write_whole, written_folder
from geomgan.runs.settings import check_settings

WIP, COMPLETE, MODELS = "wip", "complete", "models"
RECONSTRUCTORS = {"lenet": "LeNet", "resnet": "ResNet"}
LOGGED = {
    "accuracy": "accuracy",
    "classification_loss": "label_loss",
    "regression_loss": "magnitude_error",
    "total_loss": "loss",
}


@dataclass(frozen=True)
class Experiment:
    """A finished training.

    Attributes:
        folder: of ``complete``.
        trained: warps, reconstructor, and how well they do.
    """

    folder: Path
    trained: TrainedWarps


def experiment_name(model: str, args: dict[str, Any]) -> str:
    """``<model>-<reconstructor>-K<K>-D<D>(-LearnAlphas)(-LearnGammas)-eps<min>_<max>``, as published."""
    learnt = "".join(f"-Learn{what}" for what in ("Alphas", "Gammas") if args[f"learn_{what.lower()}"])
    sizes = f"K{args['num_support_sets']}-D{args['num_support_dipoles']}"
    magnitudes = f"eps{args['min_shift_magnitude']:g}_{args['max_shift_magnitude']:g}"
    return f"{model}-{args['reconstructor_type']}-{sizes}{learnt}-{magnitudes}"


def train_experiment(
    G: Generator,
    key: jax.Array,
    name: str,
    *,
    paths: int,
    dipoles: int,
    predictor: str = "resnet",
    steps: int = 100_000,
    learn_weights: bool = False,
    learn_widths: bool = True,
    width: float | None = None,
    resize: int | None = None,
    options: JointOptions = BALANCED,
    experiments: str | os.PathLike[str] = "experiments",
    every: int = 1000,
    command: str = "",
    progress: bool = True,
) -> Experiment:
    """Train warps in a folder of experiments; the same call goes on where it was interrupted.

    Args:
        G: a generator of images.
        key: random key.
        name: of the model, the first word of the folder's.
        paths: ``K``.
        dipoles: ``D``.
        predictor: ``"lenet"`` or ``"resnet"``, the reconstructor.
        steps: training steps.
        learn_weights: whether alphas train.
        learn_widths: whether gammas do.
        width: gamma at the start.
        resize: side to which images are brought for the reconstructor.
        options: batch, magnitudes, weights and rates.
        experiments: the folder with ``wip`` and ``complete``.
        every: steps between checkpoints.
        command: kept as ``command.sh``.
        progress: whether to show a progress bar.

    Raises:
        OptionError, ValueError, CheckpointError, NotFiniteError: as :func:`geomgan.directions.train_warps`.
        StoreError: the folder belongs to a training with other options.
    """
    how: dict[str, Any] = {"paths": paths, "dipoles": dipoles, "predictor": predictor, "steps": steps, "width": width}
    how |= {"learn_weights": learn_weights, "learn_widths": learn_widths, "resize": resize, "options": options}
    args = published_args(name, how)
    root = local_path(experiments)
    title = experiment_name(name, args)
    wip, complete = root / WIP / title, root / COMPLETE / title
    seed = {"key": jax.random.key_data(key).tolist()} if isinstance(key, jax.Array) else {}
    if (wip / "args.json").exists():
        stored = json.loads((wip / "args.json").read_text(encoding="utf-8"))
        more = {"max_iter", "log_freq", "ckp_freq"}  # a training may be longer
        kept = lambda given: {entry: x for entry, x in given.items() if entry not in more}
        check_settings(wip, kept(stored), kept({**args, **seed}))
    begun = wip.exists()
    write_whole(wip / "args.json", json.dumps({**args, **seed, "ckp_freq": every}, indent=1) + "\n")
    write_whole(wip / "command.sh", f"#!/bin/sh\n{command}\n")
    try:
        trained = train_warps(G, key, **how, out=wip / MODELS, every=every, progress=progress)
    except Exception:
        if not begun and not (wip / MODELS).exists():  # what was asked is refused: nothing has begun
            shutil.rmtree(wip)
        raise
    write_whole(wip / "stats.json", json.dumps(published_stats(trained), indent=1) + "\n")
    write_whole(wip / "accuracy.csv", "path,accuracy\n" + "".join(f"{k},{x}\n" for k, x in enumerate(trained.accuracy)))
    _draw(trained, title, wip)
    with written_folder(complete) as folder:
        for file in ("args.json", "command.sh", "stats.json", "accuracy.csv", "losses.png"):
            shutil.copyfile(wip / file, folder / file)
        (folder / MODELS).mkdir()
        for file in (WARPS, PREDICTOR):
            shutil.copyfile(wip / MODELS / file, folder / MODELS / file)
    return Experiment(complete, trained)


def published_args(name: str, how: dict[str, Any]) -> dict[str, Any]:
    """The options of :func:`geomgan.directions.train_warps` under their published names."""
    options: JointOptions = how["options"]
    return {
        "gan_type": name,
        "num_support_sets": how["paths"],
        "num_support_dipoles": how["dipoles"],
        "learn_alphas": how["learn_weights"],
        "learn_gammas": how["learn_widths"],
        "gamma": how["width"],
        "support_set_lr": options.learning_rate,
        "reconstructor_type": RECONSTRUCTORS.get(how["predictor"], how["predictor"]),
        "reconstructor_size": how["resize"],
        "min_shift_magnitude": options.least,
        "max_shift_magnitude": options.most,
        "shift_law": options.law,
        "reconstructor_lr": options.predictor_learning_rate,
        "max_iter": how["steps"],
        "batch_size": options.batch,
        "lambda_cls": options.label_weight,
        "lambda_reg": options.magnitude_weight,
    }


def published_stats(trained: TrainedWarps) -> dict[str, dict[str, float]]:
    """Step -> what was logged, under the published names."""
    return {str(row["step"]): {name: row[ours] for name, ours in LOGGED.items()} for row in trained.curve}


def _draw(trained: TrainedWarps, title: str, folder: Path) -> None:
    from geomgan.plot import save, training_curves

    save(training_curves(trained.curve, title), folder / "losses.png")
