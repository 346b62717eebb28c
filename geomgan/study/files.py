"""Names of the files of a study."""

from __future__ import annotations

PAGE, KEY = "study.html", "study_key.json"
RESULTS, BY_AXIS, ANSWERS = "results.json", "results.csv", "answers.csv"
FORMAT = 1
