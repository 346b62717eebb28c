"""Reading a study's key and the answers to it. Answers are untrusted: every value is checked before it is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.errors import reading, said
from geomgan.study.files import FORMAT
from geomgan.study.values import (
    Wrong,
    free_text,
    json_object,
    name_of,
    named,
    nothing,
    rows_of,
    seconds_of,
    shown,
    text_of,
    whole,
    yes_or_no,
)

MOST_BYTES, MOST_KEY_BYTES = 2**20, 2**28


@brief
@dataclass(frozen=True)
class StudyKey:
    """What the page does not say.

    Attributes:
        study: its id.
        rows: rows of a question.
        trials: names of the questions, axes by rank and then controls.
        labels: ``"axis 1"``, ..., ``"control 1"``, ...
        is_axis: ``(trials,)``.
        eigenvalues: ``(trials,)``, ``vᵀ g v`` in the mean metric.
        finding: what the study is, in a sentence.
    """

    study: str
    rows: int
    trials: tuple[str, ...]
    labels: tuple[str, ...]
    is_axis: np.ndarray
    eigenvalues: np.ndarray
    finding: str


@brief
@dataclass(frozen=True)
class Participant:
    """The answers of one participant, in the order of ``StudyKey.trials``.

    Attributes:
        name: the id that was typed, or a random one.
        file: where they come from.
        session: of the page; two files of one session are duplicates.
        seen: ``(trials,)`` bool.
        amount: ``(trials,)``, percent; NaN where no change was seen, as in the next ones.
        rows: ``(trials, rows)``, 1 for a row in which the change happens and 0 for another.
        similarity: ``(trials,)``, 1 to 9.
        difficulty: ``(trials,)``, 1 to 9.
        common: the free text; empty where no change was seen.
        position: ``(trials,)``, when it was shown, from 1.
        seconds: ``(trials,)``.
    """

    name: str
    file: str
    session: str
    seen: np.ndarray
    amount: np.ndarray
    rows: np.ndarray
    similarity: np.ndarray
    difficulty: np.ndarray
    common: tuple[str, ...]
    position: np.ndarray
    seconds: np.ndarray


def read_key(path: str | os.PathLike[str]) -> StudyKey:
    """The key that ``write_study`` wrote.

    Raises:
        ValueError: the file is missing, or not a key.
    """
    fix = "Pass the study_key.json of `geomgan study`."
    with reading(path, fix, error=ValueError, found="is not the key of a study"):
        data = json_object(path, MOST_KEY_BYTES)
        entries = sorted(data["trials"].items(), key=lambda item: (item[1]["kind"] != "axis", _rank(item[1])))
        key = StudyKey(
            study=text_of(data["study"]),
            rows=whole(data["rows"], 1, 100),
            trials=tuple(text_of(name) for name, _ in entries),
            labels=tuple(text_of(entry["label"]) for _, entry in entries),
            is_axis=np.array([entry["kind"] == "axis" for _, entry in entries]),
            eigenvalues=np.array([float(entry["eigenvalue"]) for _, entry in entries]),
            finding=text_of(data["finding"]),
        )
    if data.get("format") != FORMAT:
        raise ValueError(f"{path} has format {shown(data.get('format'))}; expected {FORMAT}.")
    return key


def read_answers(key: StudyKey, paths: Sequence[str | os.PathLike[str]]) -> list[Participant]:
    """The participants of a study, by name.

    Args:
        key: of the study.
        paths: files that the page's "Download answers" gave.

    Raises:
        ValueError: a file is not what the page writes, belongs to another study, or repeats a participant. One line
            for each file, that names the file and the field.
    """
    if not paths:
        raise ValueError("there are no answers; expected at least one file that a participant downloaded.")
    problems: list[str] = []
    people: list[Participant] = []
    for path in paths:
        try:
            people.append(_participant(key, path, json_object(path, MOST_BYTES)))
        except Exception as error:  # every file is told of in one go
            problems.append(f"{path}: {said(error)}")
    first: dict[tuple[str, str], str] = {}
    for person in people:
        for what, identity in (("participant", person.name.casefold()), ("session", person.session)):
            earlier = first.setdefault((what, identity), person.file)
            if earlier != person.file or sum(other.file == person.file for other in people) > 1:
                problems.append(f"{person.file}: {what} {shown(identity)} is also that of {earlier}; keep one of them")
                break
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return sorted(people, key=lambda person: person.name.casefold())


def _participant(key: StudyKey, path: str | os.PathLike[str], data: dict[str, Any]) -> Participant:
    if "trials" in data and "answers" not in data:  # the key, perhaps of this study
        raise Wrong("this is not an answers file; pass what participants downloaded")
    if data.get("study") != key.study:
        raise Wrong(
            f"study is {shown(data.get('study'))}; expected {key.study!r}: these answers belong to another study"
        )
    if data["format"] != FORMAT:
        raise Wrong(f"format is {shown(data['format'])}; expected {FORMAT}")
    name = named("participant", name_of, data["participant"])
    session = named("session", name_of, data["session"])
    named("seed", lambda x: whole(x, 0, 2**32 - 1), data["seed"])
    given = _by_trial(key, data["answers"])
    order = data["order"]
    if not isinstance(order, list) or not all(isinstance(x, str) for x in order) or sorted(order) != sorted(key.trials):
        raise Wrong("order is not a list of all questions, each once")
    columns = [_answer(key, given[trial]) for trial in key.trials]
    arrays = {field: np.array([column[field] for column in columns]) for field in columns[0] if field != "common"}
    common = tuple(column["common"] for column in columns)
    position = np.array([order.index(trial) + 1 for trial in key.trials])
    return Participant(name=name, file=str(path), session=session, common=common, position=position, **arrays)


def _by_trial(key: StudyKey, answers: Any) -> dict[str, dict[str, Any]]:
    """Question -> answer, every question once."""
    if not isinstance(answers, list) or len(answers) > len(key.trials):
        raise Wrong(f"answers is {shown(answers)}; expected a list of {len(key.trials)}, one for each question")
    given: dict[str, dict[str, Any]] = {}
    for i, answer in enumerate(answers):
        if not isinstance(answer, dict):
            raise Wrong(f"answers[{i}] is {shown(answer)}; expected an object")
        trial = answer.get("trial")
        if not isinstance(trial, str) or trial not in key.trials:
            raise Wrong(f"answers[{i}].trial is {shown(trial)}, which is no question of this study")
        if trial in given:
            raise Wrong(f"answers[{i}].trial {trial} is answered twice")
        given[trial] = {**answer, "index": i}
    missing = [trial for trial in key.trials if trial not in given]
    if missing:
        raise Wrong(f"answers lack {len(missing)} of {len(key.trials)} questions, such as {missing[0]}")
    return given


def _answer(key: StudyKey, answer: dict[str, Any]) -> dict[str, Any]:
    """One answer as numbers; what follows from "no change seen" is NaN, no rows and no text."""
    where = f"answers[{answer['index']}]"

    def get(field: str, check: Callable[[Any], Any]) -> Any:
        if field not in answer:
            raise Wrong(f"{where}.{field} is missing")
        return named(f"{where}.{field}", check, answer[field])

    seen, seconds = get("change", yes_or_no), get("seconds", seconds_of)
    rest = ("amount", "common", "rows", "similarity", "difficulty")
    if not seen:
        for field in rest:
            get(field, nothing)
        nan = float("nan")
        unseen = {"amount": nan, "rows": np.zeros(key.rows), "similarity": nan, "difficulty": nan, "common": ""}
        return {"seen": False, "seconds": seconds, **unseen}
    rows = get("rows", lambda x: rows_of(x, key.rows))
    return {
        "seen": True,
        "seconds": seconds,
        "amount": float(get("amount", lambda x: whole(x, 0, 100))),
        "rows": np.isin(np.arange(1, key.rows + 1), rows).astype(float),
        "similarity": float(get("similarity", lambda x: whole(x, 1, 9))),
        "difficulty": float(get("difficulty", lambda x: whole(x, 1, 9))),
        "common": get("common", free_text),
    }


def _rank(entry: dict[str, Any]) -> int:
    return int(entry["rank"] or str(entry["label"]).split()[-1])
