"""Reading a study's key and the answers to it. Answers are untrusted: every value is checked before it is used."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.study.files import FORMAT

MOST_BYTES, MOST_KEY_BYTES, LONGEST_TEXT, LONGEST_NAME = 2**20, 2**28, 500, 64
_FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, lone surrogates, separators of lines


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
    try:
        data = _json(path, MOST_KEY_BYTES)
        entries = sorted(data["trials"].items(), key=lambda item: (item[1]["kind"] != "axis", _rank(item[1])))
        key = StudyKey(
            study=_text(data["study"]),
            rows=_whole(data["rows"], 1, 100),
            trials=tuple(_text(name) for name, _ in entries),
            labels=tuple(_text(entry["label"]) for _, entry in entries),
            is_axis=np.array([entry["kind"] == "axis" for _, entry in entries]),
            eigenvalues=np.array([float(entry["eigenvalue"]) for _, entry in entries]),
            finding=_text(data["finding"]),
        )
    except (_Wrong, KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{_shown(error.args[0])} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{path} is not the key of a study: {reason}. Pass the study_key.json of `geomgan study`."
        ) from error
    if data.get("format") != FORMAT:
        raise ValueError(f"{path} has format {_shown(data.get('format'))}; expected {FORMAT}.")
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
            people.append(_participant(key, path, _json(path, MOST_BYTES)))
        except (_Wrong, KeyError) as error:
            problems.append(
                f"{path}: {f'{_shown(error.args[0])} is missing' if isinstance(error, KeyError) else error}"
            )
    first: dict[tuple[str, str], str] = {}
    for person in people:
        for what, identity in (("participant", person.name.casefold()), ("session", person.session)):
            earlier = first.setdefault((what, identity), person.file)
            if earlier != person.file or sum(other.file == person.file for other in people) > 1:
                problems.append(f"{person.file}: {what} {_shown(identity)} is also that of {earlier}; keep one of them")
                break
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return sorted(people, key=lambda person: person.name.casefold())


class _Wrong(Exception):
    """What is wrong with a value, without the name of the file."""


def _participant(key: StudyKey, path: str | os.PathLike[str], data: dict[str, Any]) -> Participant:
    if "trials" in data and "answers" not in data:  # the key, perhaps of this study
        raise _Wrong("this is not an answers file; pass what participants downloaded")
    if data.get("study") != key.study:
        raise _Wrong(
            f"study is {_shown(data.get('study'))}; expected {key.study!r}: these answers belong to another study"
        )
    if data["format"] != FORMAT:
        raise _Wrong(f"format is {_shown(data['format'])}; expected {FORMAT}")
    name = _field("participant", _name, data["participant"])
    session = _field("session", _name, data["session"])
    _field("seed", lambda x: _whole(x, 0, 2**32 - 1), data["seed"])
    given = _by_trial(key, data["answers"])
    order = data["order"]
    if not isinstance(order, list) or not all(isinstance(x, str) for x in order) or sorted(order) != sorted(key.trials):
        raise _Wrong("order is not a list of all questions, each once")
    columns = [_answer(key, given[trial]) for trial in key.trials]
    arrays = {field: np.array([column[field] for column in columns]) for field in columns[0] if field != "common"}
    common = tuple(column["common"] for column in columns)
    position = np.array([order.index(trial) + 1 for trial in key.trials])
    return Participant(name=name, file=str(path), session=session, common=common, position=position, **arrays)


def _by_trial(key: StudyKey, answers: Any) -> dict[str, dict[str, Any]]:
    """Question -> answer, every question once."""
    if not isinstance(answers, list) or len(answers) > len(key.trials):
        raise _Wrong(f"answers is {_shown(answers)}; expected a list of {len(key.trials)}, one for each question")
    given: dict[str, dict[str, Any]] = {}
    for i, answer in enumerate(answers):
        if not isinstance(answer, dict):
            raise _Wrong(f"answers[{i}] is {_shown(answer)}; expected an object")
        trial = answer.get("trial")
        if not isinstance(trial, str) or trial not in key.trials:
            raise _Wrong(f"answers[{i}].trial is {_shown(trial)}, which is no question of this study")
        if trial in given:
            raise _Wrong(f"answers[{i}].trial {trial} is answered twice")
        given[trial] = {**answer, "index": i}
    missing = [trial for trial in key.trials if trial not in given]
    if missing:
        raise _Wrong(f"answers lack {len(missing)} of {len(key.trials)} questions, such as {missing[0]}")
    return given


def _answer(key: StudyKey, answer: dict[str, Any]) -> dict[str, Any]:
    """One answer as numbers; what follows from "no change seen" is NaN, no rows and no text."""
    where = f"answers[{answer['index']}]"

    def get(field: str, check: Callable[[Any], Any]) -> Any:
        if field not in answer:
            raise _Wrong(f"{where}.{field} is missing")
        return _field(f"{where}.{field}", check, answer[field])

    seen, seconds = get("change", _yes_or_no), get("seconds", _seconds)
    rest = ("amount", "common", "rows", "similarity", "difficulty")
    if not seen:
        for field in rest:
            get(field, _nothing)
        nan = float("nan")
        unseen = {"amount": nan, "rows": np.zeros(key.rows), "similarity": nan, "difficulty": nan, "common": ""}
        return {"seen": False, "seconds": seconds, **unseen}
    rows = get("rows", lambda x: _rows(x, key.rows))
    return {
        "seen": True,
        "seconds": seconds,
        "amount": float(get("amount", lambda x: _whole(x, 0, 100))),
        "rows": np.isin(np.arange(1, key.rows + 1), rows).astype(float),
        "similarity": float(get("similarity", lambda x: _whole(x, 1, 9))),
        "difficulty": float(get("difficulty", lambda x: _whole(x, 1, 9))),
        "common": get("common", _free_text),
    }


# Reading and checking single values


def _json(path: str | os.PathLike[str], limit: int) -> dict[str, Any]:
    """A JSON object from a file of at most ``limit`` bytes."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise _Wrong("no such file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _Wrong(f"the file is larger than {limit} bytes, which answers never are")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise _Wrong("the file is not JSON that the page writes: it is nested too deeply") from None
    except ValueError as error:
        raise _Wrong(f"the file is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise _Wrong(f"the file holds {_shown(data)}; expected a JSON object")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field is given twice in one object")
    return dict(pairs)


def _field(name: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except _Wrong as error:
        raise _Wrong(f"{name} is {_shown(value)}; expected {error}") from None


def _shown(value: Any) -> str:
    """A short text of anything, without control characters."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} entries"
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rank(entry: dict[str, Any]) -> int:
    return int(entry["rank"] or str(entry["label"]).split()[-1])


def _whole(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _Wrong(f"a whole number from {low} to {high}")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise _Wrong("seconds, 0 or more")
    return float(value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _nothing(value: Any) -> None:
    if value is not None:
        raise _Wrong("null, because no change was seen")


def _rows(value: Any, rows: int) -> list[int]:
    if not isinstance(value, list) or len(value) > rows or len({_whole(x, 1, rows) for x in value}) < len(value):
        raise _Wrong(f"a list of rows from 1 to {rows}, each at most once")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{_shown(value)} is not a text")
    return value


def _name(value: Any) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(name) <= LONGEST_NAME or any(unicodedata.category(c) in _FORBIDDEN for c in name):
        raise _Wrong(f"a text of 1 to {LONGEST_NAME} printable characters")
    return name


def _free_text(value: Any) -> str:
    """A text on one line, in characters that can be written."""
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_TEXT:
        raise _Wrong(f"a text of 1 to {LONGEST_TEXT} characters")
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value)
    return " ".join(clean.split())
