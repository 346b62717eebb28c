"""``geomgan train-warps``: curved paths, in folders of experiments; options are called as WarpedGANSpace calls them."""

from __future__ import annotations

import argparse
from pathlib import Path

from geomgan.cli import options

HELP = "train warps, curved paths that a network can tell apart (WarpedGANSpace); the same command goes on"
FLAGS = ("num_support_sets", "num_support_dipoles", "learn_alphas", "learn_gammas", "gamma", "support_set_lr",
         "reconstructor_type", "reconstructor_size", "min_shift_magnitude", "max_shift_magnitude", "shift_law",
         "reconstructor_lr", "max_iter", "batch_size", "lambda_cls", "lambda_reg", "ckp_freq", "seed")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument("-K", "--num-support-sets", type=int, required=True, default=argparse.SUPPRESS, help="paths")
    parser.add_argument(
        "-D", "--num-support-dipoles", type=int, required=True, default=argparse.SUPPRESS, help="dipoles of each path"
    )
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--learn-alphas", action=switch, default=False, help="train the weights of basis functions")
    parser.add_argument("--learn-gammas", action=switch, default=True, help="train their widths")
    parser.add_argument("-g", "--gamma", type=float, help="width at the start (default: one over the dimensions)")
    parser.add_argument("--support-set-lr", type=float, default=1e-4, help="learning rate of the paths")
    parser.add_argument("--reconstructor-type", default="ResNet", help="LeNet or ResNet")
    parser.add_argument("--reconstructor-lr", type=float, default=1e-4, help="its learning rate")
    parser.add_argument("--reconstructor-size", type=int, help="side to which images are brought for it")
    parser.add_argument("--min-shift-magnitude", type=float, default=0.25, help="least length of a shift")
    parser.add_argument("--max-shift-magnitude", type=float, default=0.45, help="largest")
    parser.add_argument("--shift-law", default="balanced", help="of signs: balanced, or warpedganspace as published")
    parser.add_argument("--max-iter", type=int, default=100_000, help="training steps")
    parser.add_argument("--batch-size", type=int, default=32, help="pairs of samples a step")
    parser.add_argument("--lambda-cls", type=float, default=1.0, help="weight of the cross entropy of paths")
    parser.add_argument("--lambda-reg", type=float, default=0.25, help="weight of the error of magnitudes")
    parser.add_argument("--ckp-freq", type=int, default=1000, help="steps between checkpoints")
    options.seed(parser, "of the training")
    options.out(parser, "folder with wip and complete (default: experiments)")


def run(arguments: argparse.Namespace) -> int:
    """Train, and print where the experiment is and how well its paths are recognised."""
    import jax

    from geomgan.directions import JointOptions
    from geomgan.errors import check_choice
    from geomgan.zoo import load_generator, train_experiment

    kinds = {"LeNet": "lenet", "ResNet": "resnet"}
    check_choice(arguments.reconstructor_type, kinds, "reconstructor-type")
    G = load_generator(arguments.model, **options.model_options(arguments))
    with options.stored_in_out():
        found = train_experiment(
            G,
            jax.random.key(arguments.seed),
            "-".join([Path(arguments.model).name, *map(str, options.model_options(arguments).values())]),
            paths=arguments.num_support_sets,
            dipoles=arguments.num_support_dipoles,
            predictor=kinds[arguments.reconstructor_type],
            steps=arguments.max_iter,
            learn_weights=arguments.learn_alphas,
            learn_widths=arguments.learn_gammas,
            width=arguments.gamma,
            resize=arguments.reconstructor_size,
            options=JointOptions(
                arguments.batch_size,
                arguments.shift_law,
                arguments.min_shift_magnitude,
                arguments.max_shift_magnitude,
                arguments.lambda_cls,
                arguments.lambda_reg,
                arguments.support_set_lr,
                arguments.reconstructor_lr,
            ),
            experiments=arguments.out or "experiments",
            every=arguments.ckp_freq,
            command=options.command("train-warps", arguments, *FLAGS),
        )
    accuracy = found.trained.accuracy
    print(
        f"{len(accuracy)} paths are recognised in {100 * accuracy.mean():.1f} % of new samples (by chance "
        f"{100 / len(accuracy):.1f} %). The experiment is in {found.folder}."
    )
    return 0
