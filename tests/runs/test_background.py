"""Work for a thread of its own."""

import threading

import pytest

from geomgan.runs.background import WAITING, Background


def test_calls_are_made_in_order_by_one_other_thread():
    made, threads = [], set()

    def call(i):
        threads.add(threading.get_ident())
        made.append(i)

    with Background() as background:
        for i in range(20):
            background.later(call, i)
        background.wait()
        assert made == list(range(20))
    assert threads.isdisjoint({threading.get_ident()})
    assert len(threads) == 1


def test_few_calls_wait():
    go_on, made = threading.Event(), []

    def call(i):
        go_on.wait(10)
        made.append(i)

    with Background() as background:
        for i in range(WAITING):
            background.later(call, i)
        assert not made
        threading.Timer(0.05, go_on.set).start()
        background.later(call, WAITING)  # waits for the first
        assert 0 in made
    assert made == list(range(WAITING + 1))


@pytest.mark.parametrize("told", ["later", "wait"])
def test_after_a_failure_nothing_is_made_and_the_error_comes_out(told):
    made, failed = [], threading.Event()

    def call(i):
        if i == 1:
            failed.set()
            raise OSError("no space left")
        made.append(i)

    def handed_over():
        with Background() as background:
            for i in range(2):
                background.later(call, i)
            assert failed.wait(10)
            for i in range(2, 9 if told == "later" else 3):
                background.later(call, i)
            background.wait()

    with pytest.raises(OSError, match="no space left"):
        handed_over()
    assert made == [0]


def test_an_interruption_loses_nothing_that_was_handed_over():
    made = []

    def interrupted():
        with Background() as background:
            for i in range(5):
                background.later(made.append, i)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made == list(range(5))
