"""The catalogue of models, opening and fetching them, and the small models that ship with the package."""

from geomgan import entry
from geomgan.home import home
from geomgan.zoo.catalogue import Entry, catalogue
from geomgan.zoo.deformators import PublishedDeformator, PublishedWarps, load_deformator, load_warps
from geomgan.zoo.experiments import Experiment, train_experiment
from geomgan.zoo.fetch import fetch
from geomgan.zoo.load import card, load, load_generator, locate
from geomgan.zoo.pools import Pool, load_pool, write_pool

__all__ = [
    "Entry",
    "Experiment",
    "Pool",
    "PublishedDeformator",
    "PublishedWarps",
    "card",
    "catalogue",
    "fetch",
    "home",
    "load",
    "load_deformator",
    "load_generator",
    "load_pool",
    "load_warps",
    "locate",
    "train_experiment",
    "write_pool",
]

entry.guard(__name__)
