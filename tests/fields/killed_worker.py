"""A metric field in a process that tests/fields/test_faults.py kills."""

import os
import time

import numpy as np

import geomgan as gg
from geomgan.fields import solve
from geomgan.fields.field import compute_field
from geomgan.runs.store import write_batch
from tests.small_models import small_dcgan

CODES = 12


def compute(store=None, **seams):
    codes = np.random.default_rng(0).standard_normal((CODES, 8)).astype(np.float32)
    return compute_field(small_dcgan(), gg.distances.mse(), codes, store=store, batch=1, **seams)


def run(store, log, pause):
    """Compute the field; ``log`` gets one byte when the run begins, and one for each batch after it is written."""
    journal = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def logged(*arguments):
        write_batch(*arguments)
        os.write(journal, b"b")

    def slow(*arguments):
        time.sleep(pause)
        return solve.execute(*arguments)

    os.write(journal, b"s")
    compute(store, execute=slow, write=logged)
