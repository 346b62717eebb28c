"""Each family is declared once, and what it names is there."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from geomgan.models.card import SAVED
from geomgan.models.families import CHECKPOINTS, FAMILIES, NETWORKS
from tests.fixtures import ROOT

IMPORTS = """
import sys
import geomgan.models.build, geomgan.models.measured, geomgan.models.families
print([name for name in sys.modules if name.startswith(("weights_convert", "geomgan.zoo"))])
"""


def named(function):
    module, _, name = function.partition(":")
    return getattr(import_module(f"weights_convert.{module}"), name)


def test_every_family_is_a_network_or_is_for_a_distance():
    assert {name for name, family in FAMILIES.items() if family.net} == set(FAMILIES) - set(NETWORKS)
    assert set(FAMILIES) - set(CHECKPOINTS) == {"digit-classifier", SAVED}  # trained here, and saved
    assert FAMILIES["lpips-heads-vgg"].use("'x'") == "lpips(net, weights='x')"
    assert FAMILIES["wavegan"].use("'x'") == "geomgan.load('x')"


@pytest.mark.parametrize("name", list(CHECKPOINTS))
def test_converters_are_where_the_declaration_says(name):
    published = CHECKPOINTS[name]
    assert list(inspect.signature(named(published.converter)).parameters) == ["family", "states", "options"]
    if published.reader:
        assert list(inspect.signature(named(published.reader)).parameters) == ["path"]
    if published.files:
        assert len(published.files) == len(NETWORKS[name])  # in their order


def test_options_are_those_of_the_generators():
    assert set(NETWORKS["biggan-138k"]["generator"].options) >= {"space", "truncation", "class_index", "base"}
    assert NETWORKS["wavegan"]["generator"].options == ()


def test_models_know_neither_the_zoo_nor_converters():
    shown = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
