import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.runs.lock import locked
from geomgan.runs.settings import check_settings


def test_the_same_settings_pass():
    check_settings("x", {"a": [1, 2], "b": {"c": None}}, {"a": (1, 2), "b": {}})


def test_what_differs_is_named(tmp_path):
    stored, now = {"a": 1, "same": 0, "plan": {"seed": 3, "k": 4}, "old": 2}, {"a": "1", "same": 0, "new": 5.0}
    with pytest.raises(gg.StoreError) as caught:
        check_settings(tmp_path, stored, now | {"plan": {"seed": 4, "k": 4}})
    assert str(caught.value) == (
        f"{tmp_path} belongs to another run. a: stored 1, now '1'; new: stored None, now 5.0; old: stored 2, now None; "
        "plan.seed: stored 3, now 4. Repeat the call with the stored settings to resume it, or name another folder."
    )


def test_the_advice_and_the_kind_are_the_callers():
    with pytest.raises(CheckpointError, match=r"^x belongs to another run\. a: stored None, now '0{199}…\. Think\.$"):
        check_settings("x", {}, {"a": "0" * 1000}, fix="Think.", error=CheckpointError)


def test_a_folder_has_one_writer(tmp_path):
    refused = pytest.raises(gg.StoreError, match=r"being written by another process\. Wait for it, or name another")
    with locked(tmp_path), refused, locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path):
        pass
    with pytest.raises(BlockingIOError), locked(tmp_path):
        raise BlockingIOError  # of the block, not of the lock
