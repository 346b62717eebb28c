"""One small study that the tests of this folder share."""

import pytest

from geomgan.cli.study import make_study
from geomgan.study import read_key
from tests.study import PLAN


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study."""
    folder = tmp_path_factory.mktemp("study")
    make_study(PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def key(study):
    return read_key(study / "study_key.json")
