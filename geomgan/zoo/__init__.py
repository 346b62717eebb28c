"""The catalogue of models, opening and fetching them, and the small models that ship with the package."""

from geomgan import entry
from geomgan.home import home
from geomgan.zoo.catalogue import Entry, catalogue
from geomgan.zoo.deformators import PublishedDeformator, PublishedWarps, load_deformator, load_warps
from geomgan.zoo.fetch import fetch
from geomgan.zoo.load import card, load, load_generator, locate

__all__ = [
    "Entry",
    "PublishedDeformator",
    "PublishedWarps",
    "card",
    "catalogue",
    "fetch",
    "home",
    "load",
    "load_deformator",
    "load_generator",
    "load_warps",
    "locate",
]

entry.guard(__name__)
