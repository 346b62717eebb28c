"""The interpretability study: do people see what an axis of the metric does, and agree on it?

After "The Geometry of Deep Generative Image Models and its Applications" (ICLR 2021): one axis is applied to five
reference codes, and participants say what they see, without knowing which axes are eigenvectors of the mean metric
and which are random directions.
"""

from typing import TYPE_CHECKING

from geomgan import entry, moved
from geomgan.study.agreement import krippendorff_alpha
from geomgan.study.answers import Participant, StudyKey, read_answers, read_key
from geomgan.study.design import StudyPlan, parse_ranks, write_study
from geomgan.study.results import StudyResults, permutation_test, study_results
from geomgan.study.summary import summary_table, write_results

__all__ = [
    "Participant",
    "StudyKey",
    "StudyPlan",
    "StudyResults",
    "krippendorff_alpha",
    "parse_ranks",
    "permutation_test",
    "read_answers",
    "read_key",
    "study_results",
    "summary_table",
    "write_results",
    "write_study",
]

entry.guard(__name__)

if not TYPE_CHECKING:  # type checkers know the names of today only
    __getattr__ = moved.names(__name__)
