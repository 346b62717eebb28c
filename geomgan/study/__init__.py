"""The interpretability study: do people see what an axis of the metric does, and agree on it?

After "The Geometry of Deep Generative Image Models and its Applications" (ICLR 2021): one axis is applied to five
reference codes, and participants say what they see, without knowing which axes are eigenvectors of the mean metric
and which are random directions.
"""

from geomgan.study.agreement import krippendorff_alpha
from geomgan.study.answers import Participant, StudyKey, read_answers, read_key
from geomgan.study.design import StudyPlan, make_study, parse_ranks
from geomgan.study.results import StudyResults, permutation_test, study_results
from geomgan.study.summary import summary_table, write_results

__all__ = [
    "Participant",
    "StudyKey",
    "StudyPlan",
    "StudyResults",
    "krippendorff_alpha",
    "make_study",
    "parse_ranks",
    "permutation_test",
    "read_answers",
    "read_key",
    "study_results",
    "summary_table",
    "write_results",
]
