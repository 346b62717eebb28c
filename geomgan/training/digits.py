"""Train the digit generator and the digit classifier that ship with the package.

``python -m geomgan.training.digits --data MNIST --out DIR`` takes about half an hour on two CPU cores. A run
that was killed goes on from its last checkpoint when it is started again with the same options.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.models.measured import write_measured
from geomgan.training.classifier import accuracy, predict, train_classifier
from geomgan.training.data import SIDE, load_mnist
from geomgan.training.gan import GENERATOR, LATENT, GanOptions, sample, train_gan

LICENCE = "Apache-2.0 (trained on MNIST, CC BY-SA 3.0)"
CONFIDENT = 0.9  # a sample counts as a digit when the classifier's largest probability is above


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, evaluate and save."""
    options = _parser().parse_args(arguments)
    out, settings = Path(options.out), {"seed": options.seed}
    checkpoints, shared = out / "checkpoints", {"every": options.checkpoint_every, "settings": settings}
    try:
        data = load_mnist(options.data)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
    key = jax.random.key(options.seed)
    classifier, classifier_seconds = train_classifier(
        data,
        jax.random.fold_in(key, 0),
        steps=options.classifier_steps,
        checkpoint=checkpoints / "classifier.npz",
        **shared,
    )
    generator, generator_seconds = train_gan(
        data,
        jax.random.fold_in(key, 1),
        GanOptions(steps=options.steps, batch=options.batch, width=options.width),
        checkpoint=checkpoints / "gan.npz",
        **shared,
    )
    metrics = {
        "test_accuracy": accuracy(classifier, data.test_images, data.test_labels),
        **evaluate(generator, classifier, jax.random.fold_in(key, 2), options.samples),
        "steps": options.steps,
        "classifier_steps": options.classifier_steps,
        "seconds": round(generator_seconds, 1),
        "classifier_seconds": round(classifier_seconds, 1),
        "seed": options.seed,
    }
    save_models(out, generator, classifier, metrics)
    print(json.dumps(metrics, indent=2))


def evaluate(generator: Any, classifier: Any, key: jax.Array, samples: int = 2000) -> dict[str, Any]:
    """How the classifier, trained apart, judges images of random codes.

    Returns:
        ``samples``; ``confident_share``, the share with a largest probability above 0.9; ``digit_shares``,
        for each digit the share of samples whose most probable class it is.
    """
    probabilities = predict(classifier, sample(generator, key, samples))
    counts = np.bincount(probabilities.argmax(1), minlength=10)
    return {
        "samples": samples,
        "confident_share": round(float((probabilities.max(1) > CONFIDENT).mean()), 4),
        "digit_shares": [round(float(count) / samples, 4) for count in counts],
    }


def save_models(out: Path, generator: Any, classifier: Any, metrics: dict[str, Any]) -> None:
    """Write the folders ``digits-dcgan`` and ``digits-classifier`` that ``geomgan.load`` opens, with their figures.

    These folders, placed in ``geomgan/models/embedded``, are the embedded models.
    """
    common = {"licence": LICENCE, "source": "geomgan.training.digits on MNIST, padded to 32 x 32 pixels"}
    of_classifier = ("test_accuracy", "classifier_steps", "classifier_seconds", "seed")
    write_measured(
        out / "digits-dcgan",
        {
            "family": "dcgan-tutorial",
            "summary": "DCGAN on MNIST digits; the figures are the classifier's judgement of random samples",
            "config": {
                "latent_dim": LATENT,
                "features": list(GENERATOR.features),
                "channels": GENERATOR.channels,
                "resolution": SIDE,
            },
            "output_range": [-1, 1],
            "prior": "z ~ N(0, I)",
            **common,
            "figures": {name: value for name, value in metrics.items() if not name.startswith("classifier_")},
        },
        {"generator": generator},
    )
    write_measured(
        out / "digits-classifier",
        {
            "family": "digit-classifier",
            "summary": "digit classifier; input (32, 32, 1) in (-1, 1), output ten logits",
            "config": {},
            **common,
            "figures": {name: metrics[name] for name in of_classifier},
        },
        {"classifier": classifier},
    )


def _parser() -> argparse.ArgumentParser:
    gan = GanOptions()
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(
        prog="python -m geomgan.training.digits",
        description=summary,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, default=argparse.SUPPRESS, help="mnist.npz, or the folder that holds it")
    add("--out", required=True, default=argparse.SUPPRESS, help="folder for models, metrics and checkpoints")
    add("--seed", type=int, default=0, help="one seed, one result")
    add("--steps", type=_positive, default=gan.steps, help="steps of the GAN")
    add("--classifier-steps", type=_positive, default=2500, help="steps of the classifier")
    add("--batch", type=_positive, default=gan.batch, help="real images in a step of the GAN")
    add("--width", type=_positive, default=gan.width, help="channels of the discriminator's first block")
    add("--samples", type=_positive, default=2000, help="generated images that the classifier judges")
    add("--checkpoint-every", type=_positive, default=500, help="steps between checkpoints")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {value}; expected a whole number above 0")
    return value


if __name__ == "__main__":
    main()
