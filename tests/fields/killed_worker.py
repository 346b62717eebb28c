"""A metric field in a process that tests/metric/test_faults.py kills."""

import os
import time

import numpy as np

import geomgan as gg
from geomgan.fields import engine, field
from tests.small_models import small_dcgan

CODES = 12


def compute(store=None):
    codes = np.random.default_rng(0).standard_normal((CODES, 8)).astype(np.float32)
    return gg.metric_field(small_dcgan(), gg.distances.mse(), codes, store=store, batch=1, progress=False)


def run(store, log, pause):
    """Compute the field; ``log`` gets one byte when the run begins, and one for each batch after it is written."""
    write, launch = field.write_batch, engine.launch
    journal = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def logged(*arguments):
        write(*arguments)
        os.write(journal, b"b")

    def slow(*arguments):
        time.sleep(pause)
        return launch(*arguments)

    field.write_batch, engine.launch = logged, slow
    os.write(journal, b"s")
    compute(store)
