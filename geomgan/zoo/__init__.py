"""The catalogue of models, opening and fetching them, and the small models that ship with the package."""

from geomgan import entry
from geomgan.home import home
from geomgan.zoo.catalogue import Entry, catalogue
from geomgan.zoo.deformators import PublishedDeformator, load_deformator
from geomgan.zoo.fetch import fetch
from geomgan.zoo.load import card, load, load_generator, locate

__all__ = [
    "Entry",
    "PublishedDeformator",
    "card",
    "catalogue",
    "fetch",
    "home",
    "load",
    "load_deformator",
    "load_generator",
    "locate",
]

entry.guard(__name__)
