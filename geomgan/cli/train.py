"""``geomgan train``: the small models of the papers, from data to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geomgan.cli import options

HELP = "train a small model (VAE, BiGAN, DCGAN) on MNIST or images of your own"
KINDS = ("vae", "bigan", "dcgan")
OF_KINDS = ("epochs", "steps", "batch", "latent_dim", "learning_rate", "decay", "samples", "variance", "average")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "--data",
        required=True,
        default=argparse.SUPPRESS,
        help="mnist, fashion-mnist, emnist (downloaded where they are not here), or a folder: IDX files, mnist.npz, "
        "images, or one sub-folder of images for each label",
    )
    parser.add_argument("--digits", type=options.value, help="labels to keep, by number, such as 0,1")
    parser.add_argument("--per-label", metavar="N", type=int, help="training images of each label (published: 3000)")
    options.seed(parser, "of the training: one seed, one model")
    options.out(parser, "folder for the model, curves and pictures (default: runs/KIND-DATA)")
    parser.add_argument("--checkpoint-every", metavar="STEPS", type=int, default=500, help="steps between checkpoints")
    parser.add_argument("--picture-every", metavar="STEPS", type=int, default=1000, help="steps between sample grids")
    own = parser.add_argument_group("options of the training, where the kind has them (default: the published ones)")
    own.add_argument("--epochs", type=float, help="passes over the images, of vae and bigan (published: 200)")
    own.add_argument("--steps", type=int, help="of dcgan (12,000)")
    own.add_argument("--batch", type=int, help="images a step (16; dcgan: 64)")
    own.add_argument("--latent-dim", type=int, help="of vae and bigan (16)")
    own.add_argument("--learning-rate", type=float, help="of Adam at the start (0.005; dcgan: 0.0004)")
    own.add_argument("--decay", type=float, help="factor on it after each epoch, of vae and bigan (0.95)")
    own.add_argument("--samples", type=int, help="codes for each image, of vae (4)")
    own.add_argument("--variance", type=float, help="of a pixel while encoder and decoder learn, of vae (0.5)")
    own.add_argument("--average", type=float, help="decay of the moving average of weights, of bigan and dcgan")
    own.add_argument("--option", metavar="KEY=VALUE", action="append", type=options.key_and_value, help="any other")


def run(arguments: argparse.Namespace) -> int:
    """Train, and print where the model is and what was measured."""
    folder, figures = train(arguments)
    print(f"The model is in {folder}. Open it with geomgan.load({str(folder)!r}).")
    for name, value in figures.items():
        print(f"{name}: {value}")
    return 0


def train(arguments: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """The training with its pictures: the model's folder, and the figures of its card."""
    import jax

    from geomgan import plot
    from geomgan.errors import check_choice, check_count
    from geomgan.models.card import read_card
    from geomgan.runs.curve import read_curve
    from geomgan.training import job
    from geomgan.training.datasets import licence_of, load_images

    check_choice(arguments.kind, KINDS, "kind")
    chosen = {name: getattr(arguments, name) for name in OF_KINDS if getattr(arguments, name) is not None}
    chosen |= dict(arguments.option or ())
    job.checked_options(arguments.kind, chosen)
    for name in ("checkpoint_every", "picture_every"):
        check_count(getattr(arguments, name), float("inf"), name)
    name = Path(arguments.data).stem or "data"
    out = Path(arguments.out or Path("runs") / f"{arguments.kind}-{name}").expanduser()
    digits = arguments.digits
    digits = digits if digits is None or isinstance(digits, tuple) else (digits,)
    if digits is not None and not all(isinstance(digit, int) for digit in digits):
        raise ValueError(
            f"digits={','.join(map(str, digits))}: expected whole numbers with commas between, such as 0,1."
        )
    images = load_images(arguments.data, digits=digits, per_label=arguments.per_label)

    def picture(step: int, samples: Any) -> None:
        plot.save(plot.image_grid(samples, columns=10), out / "samples" / f"step-{step:07d}.png")

    licence = licence_of(arguments.data)
    kept = "" if digits is None else f", labels {', '.join(images.classes)}"
    card = {
        "source": f"geomgan train {arguments.kind} on {name}{kept}",
        "licence": f"of the images: {licence or 'not known'}",
    }
    with options.stored_in_out():
        folder = job.train(
            arguments.kind,
            images,
            key=jax.random.key(arguments.seed),
            out=out,
            options=chosen,
            card=card,
            every=arguments.checkpoint_every,
            picture=picture,
            picture_every=arguments.picture_every,
        )
    for curve in sorted((out / job.CHECKPOINT).parent.glob("*.csv")):
        figure = plot.training_curves(read_curve(curve).rows, f"Loss curves of {arguments.kind} on {name}{kept}")
        plot.save(figure, out / f"{curve.stem.replace('training', 'losses')}.png")
    written: dict[str, Any] = {**read_card(folder)}
    return folder, written.get("figures", {})
