"""A small study that the tests share, and answers to it."""

import json

from geomgan.study import StudyPlan

PLAN = StudyPlan("digits-dcgan", "mse", codes=3, ranks=(1, 3), controls=2, columns=5, seed=5, pixels=64)


def answer(trial, seen=True, amount=40, common="thicker", rows=(1, 3), similarity=7, difficulty=2):
    rest = {"amount": amount, "common": common, "rows": list(rows), "similarity": similarity, "difficulty": difficulty}
    return {"trial": trial, "change": seen, "seconds": 3.5, **(rest if seen else dict.fromkeys(rest))}


def answers_of(key, participant="p1", each=answer, **fields):
    """What the page would download: ``each(trial)`` for every question."""
    start = {"format": 1, "study": key.study, "participant": participant, "session": f"of {participant}", "seed": 7}
    times = {"started": "2026-01-01T10:00:00Z", "finished": "2026-01-01T10:05:00Z"}
    return {**start, "order": list(reversed(key.trials)), **times, "answers": list(map(each, key.trials)), **fields}


def written(path, data):
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path
