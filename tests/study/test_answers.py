"""Answers of participants are checked, by file and field."""

import numpy as np
import pytest

from geomgan.study import read_answers, read_key
from tests.study import answer, answers_of, written

NAN = float("nan")


def test_answers_are_read_in_the_order_of_the_key(key, tmp_path):
    assert key.labels == ("axis 1", "axis 3", "control 1", "control 2")
    assert key.is_axis.tolist() == [True, True, False, False]
    seen = lambda trial: answer(trial, seen=trial != key.trials[1], amount=10 * key.trials.index(trial))
    (person,) = read_answers(key, [written(tmp_path / "a.json", answers_of(key, " Zoë 1 ", seen))])
    assert person.name == "Zoë 1"
    assert person.seen.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(person.amount, [0, NAN, 20, 30])
    assert person.rows.tolist() == [[1, 0, 1, 0, 0], [0] * 5, [1, 0, 1, 0, 0], [1, 0, 1, 0, 0]]
    np.testing.assert_array_equal(person.difficulty, [2, NAN, 2, 2])
    assert person.position.tolist() == [4, 3, 2, 1]
    assert person.common == ("thicker", "", "thicker", "thicker")


def one(**fields):
    """The first answer with other fields; None leaves a field out."""

    def change(data):
        data["answers"][0] |= fields

    return change


def without(field, first=False):
    return lambda data: (data["answers"][0] if first else data).pop(field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(study="f" * 16), "study is 'ffffffffffffffff'.*belong to another study"),
        (without("study"), "study is None"),
        (without("participant"), "'participant' is missing"),
        (without("answers"), "'answers' is missing"),
        (lambda data: data.update(format=2), "format is 2; expected 1"),
        (lambda data: data.update(participant=""), "participant is ''; expected a text"),
        (lambda data: data.update(participant="a\x1b[31m"), r"participant is 'a\\x1b\[31m'; expected a text"),
        (lambda data: data.update(participant="x" * 65), "participant is .*1 to 64"),
        (lambda data: data.update(participant=["x"]), "participant is a list with 1 entries"),
        (lambda data: data.update(seed=-1), "seed is -1"),
        (lambda data: data.update(order=data["order"][:-1]), "order is not a list of all questions"),
        (lambda data: data.update(answers={}), "answers is an object with 0 entries"),
        (lambda data: data["answers"].pop(), "answers lack 1 of 4 questions"),
        (lambda data: data["answers"].append(data["answers"][0]), "answers is a list with 5 entries"),
        (lambda data: data["answers"].__setitem__(1, data["answers"][0]), r"answers\[1\].trial .* answered twice"),
        (lambda data: data["answers"].__setitem__(1, 3), r"answers\[1\] is 3; expected an object"),
        (one(trial="nowhere"), r"answers\[0\].trial is 'nowhere', which is no question"),
        (one(trial=[]), r"answers\[0\].trial is a list"),
        (without("difficulty", first=True), r"answers\[0\].difficulty is missing"),
        (one(change="yes"), r"answers\[0\].change is 'yes'; expected true or false"),
        (one(amount=101), r"answers\[0\].amount is 101; expected a whole number from 0 to 100"),
        (one(amount=True), r"answers\[0\].amount is True"),
        (one(amount=4.5), r"answers\[0\].amount is 4.5"),
        (one(rows=[1, 6]), r"answers\[0\].rows is a list with 2 entries; expected a list of rows from 1 to 5|whole"),
        (one(rows=[2, 2]), r"answers\[0\].rows is .* each at most once"),
        (one(rows=[[1]]), r"answers\[0\].rows is "),
        (one(similarity=0), r"answers\[0\].similarity is 0; expected a whole number from 1 to 9"),
        (one(difficulty="9"), r"answers\[0\].difficulty is '9'"),
        (one(common="  "), r"answers\[0\].common is '  '; expected a text of 1 to 500"),
        (one(common="x" * 501), r"answers\[0\].common is "),
        (one(common={"$gt": ""}), r"answers\[0\].common is an object with 1 entries"),
        (one(seconds=-1), r"answers\[0\].seconds is -1"),
        (one(seconds="1"), r"answers\[0\].seconds is '1'"),
        (one(change=False), r"answers\[0\].amount is 40; expected null, because no change was seen"),
    ],
)
def test_wrong_answers_are_refused_by_file_and_field(key, tmp_path, change, message):
    data = answers_of(key)
    change(data)
    path = written(tmp_path / "wrong.json", data)
    with pytest.raises(ValueError, match=rf"wrong\.json: .*{message}") as error:
        read_answers(key, [written(tmp_path / "right.json", answers_of(key, "p2")), path])
    assert "right.json" not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[1]", "a list with 1 entries; expected a JSON object"),
        ("[" * 100_000, "nested too deeply|is not JSON"),
        ('{"a": ' * 500 + "1" + "}" * 500, "study is None"),
        ('{"study": NaN}', "NaN is not a number"),
        ('{"study": 1, "study": 2}', "given twice"),
        ('{"study": %s}' % ("9" * 5000), "is not JSON"),
        (" " * (2**20 + 1), "larger than 1048576 bytes"),
        ("\x80", "is not JSON"),
        ("__import__('os').abort()", "is not JSON"),
    ],
)
def test_files_that_no_page_wrote_are_refused(key, tmp_path, text, message):
    path = tmp_path / "wrong.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"wrong\.json: .*({message})"):
        read_answers(key, [path])


def test_missing_files_and_wrong_keys_are_said(key, tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_answers(key, [tmp_path / "nowhere.json"])
    with pytest.raises(ValueError, match="at least one file"):
        read_answers(key, [])
    with pytest.raises(ValueError, match=r"key\.json: this is not an answers file; pass what participants downloaded"):
        read_answers(key, [written(tmp_path / "key.json", {"format": 1, "study": key.study, "trials": {}})])
    with pytest.raises(ValueError, match="'trials' is missing"):
        read_key(written(tmp_path / "answers.json", answers_of(key)))


def test_repeated_participants_are_detected(key, tmp_path):
    first = written(tmp_path / "first.json", answers_of(key, "Ada"))
    same_name = written(tmp_path / "second.json", answers_of(key, "ada ", session="other"))
    same_session = written(tmp_path / "third.json", answers_of(key, "Bob", session="of Ada"))
    for other, what in ((same_name, "participant 'ada'"), (same_session, "session 'of Ada'"), (first, "participant")):
        with pytest.raises(ValueError, match=rf"{other.name}: {what}.* is also that of .*first\.json"):
            read_answers(key, [first, other])
