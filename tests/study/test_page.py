"""The page of a study in a headless browser, as a participant meets it."""

import json

import pytest

from geomgan.cli import main
from geomgan.study import read_answers, read_key
from geomgan.study.page import study_page
from tests.browser import Browser, needs_chromium

pytestmark = needs_chromium


@pytest.fixture
def browser(study, tmp_path):
    with Browser(tmp_path) as browser:
        browser.open(f"file://{study / 'study.html'}")
        yield browser
        kinds = {event["method"] for event in browser.events}
        assert "Runtime.exceptionThrown" not in kinds
        assert not [e for e in browser.events if e["method"] == "Log.entryAdded"]  # nor a refusal of the policy
        asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
        assert {address.split(":")[0] for address in asked} <= {"file", "data", "blob"}


def start(browser, name=None):
    if name is not None:
        browser.click("#participant")
        browser.run("document.getElementById('participant').select()")
        browser.type(name)
    browser.click("#consent")
    browser.click("#start button")
    browser.until("!document.getElementById('trial').hidden")


def fill(browser, amount="35", common="thicker", rows=("1", "3"), similarity="7", difficulty="2"):
    browser.click("input[name=change][value=yes]")
    browser.click("input[name=amount]")
    browser.type(amount)
    browser.click("textarea[name=common]")
    browser.type(common)
    for row in rows:
        browser.click(f'input[name=rows][value="{row}"]')
    browser.click(f'input[name=similarity][value="{similarity}"]')
    browser.click(f'input[name=difficulty][value="{difficulty}"]')


def position(browser):
    return browser.run("document.getElementById('position').textContent")


def problems(browser):
    return browser.run(
        "[...document.querySelectorAll('section:not([hidden]) .problem')].map((e) => e.textContent).filter(Boolean)"
    )


def shuffled(names, seed):
    """Fisher-Yates with xorshift32, transcribed from its definition."""
    names, state = list(names), seed or 1
    for i in reversed(range(1, len(names))):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        j = state % (i + 1)
        names[i], names[j] = names[j], names[i]
    return names


def test_a_whole_study_with_a_reload_and_its_results(browser, study, tmp_path, capsys):
    hostile = "<img src=x onerror=alert(1)> =1+1"
    start(browser, "Ada <b>")
    assert position(browser) == "Set 1 of 4"
    assert browser.run("[...document.images].map((e) => e.complete && e.naturalWidth)") == [5 * 68] * 5
    fill(browser, common=hostile)
    browser.click("#next")
    assert position(browser) == "Set 2 of 4"
    browser.click("input[name=change][value=yes]")
    browser.click("textarea[name=common]")
    browser.type("half of an answer")
    shown = browser.run("[...document.images].map((e) => e.src)")

    browser.reload()
    browser.until("document.getElementById('position').textContent")  # what was kept is read first
    assert position(browser) == "Set 2 of 4"
    assert browser.run("[...document.images].map((e) => e.src)") == shown
    assert browser.run("document.querySelector('textarea[name=common]').value") == "half of an answer"
    assert browser.run("document.querySelector('input[name=change]:checked').value") == "yes"
    browser.click("#back")
    assert browser.run("document.querySelector('textarea[name=common]').value") == hostile
    assert browser.run("[...document.querySelectorAll('input[name=rows]:checked')].map((e) => e.value)") == ["1", "3"]
    browser.click("#next")
    browser.click("input[name=change][value=no]")
    browser.click("#next")
    fill(browser, amount="100", rows=("none",), similarity="1", difficulty="9")
    browser.click("#next")
    browser.click("input[name=change][value=no]")
    assert browser.run("document.getElementById('next').textContent") == "Finish"
    browser.click("#next")
    browser.until("!document.getElementById('end').hidden")
    browser.click("#download")
    file = browser.downloaded()
    assert browser.run("document.getElementById('downloaded').textContent") == f"Saved as {file.name}."
    assert browser.run("document.getElementById('answers-text').value") == file.read_text()

    data, key = json.loads(file.read_text()), read_key(study / "study_key.json")
    assert file.name == f"answers-{key.study[:8]}-Ada_b_.json"
    assert set(data["order"]) == set(key.trials)
    page_order = browser.run("JSON.parse(document.getElementById('content').textContent).trials.map((t) => t.id)")
    assert data["order"] == shuffled(page_order, data["seed"])
    assert data["started"] < data["finished"]
    (person,) = read_answers(key, [file])
    by_position = {int(p): i for i, p in enumerate(person.position)}
    first, second, third = (by_position[p] for p in (1, 2, 3))
    assert person.name == "Ada <b>"
    assert (person.amount[first], person.similarity[first], person.difficulty[first]) == (35, 7, 2)
    assert person.rows[first].tolist() == [1, 0, 1, 0, 0]
    assert person.common[first] == hostile
    assert (person.seen[second], person.common[second]) == (False, "")
    assert (person.amount[third], person.rows[third].sum()) == (100, 0)
    assert 0 < person.seconds[first] < 60

    out = tmp_path / "results"
    assert main(["study-results", str(study / "study_key.json"), str(file), "--out", str(out)]) == 0
    assert "1 participant;" in capsys.readouterr().out
    questions = {q["trial"]: q for q in json.loads((out / "results.json").read_text())["questions"]}
    assert questions[data["order"][0]]["amount"]["estimate"] == 35
    assert questions[data["order"][1]]["saw_change"]["estimate"] == 0


def test_nothing_is_skipped(browser):
    browser.click("#participant")
    browser.run("document.getElementById('participant').select()")
    browser.type("  ")
    browser.click("#start button")
    assert problems(browser) == ["Please type an id.", "Please agree before you start."]
    start(browser, "p1")
    browser.click("#next")
    assert problems(browser) == ["Please choose yes or no."]
    browser.click("input[name=change][value=yes]")
    assert problems(browser) == []
    browser.click("#next")
    assert len(problems(browser)) == 5
    assert browser.run("document.activeElement.name") == "amount"
    browser.type("101")
    browser.click("#next")
    assert problems(browser)[0] == "Please give a whole number from 0 to 100."
    browser.run("document.querySelector('input[name=slider]').focus()")
    browser.press("ArrowRight")
    assert browser.run("document.querySelector('input[name=amount]').value") == "1"
    browser.click('input[name=rows][value="2"]')
    browser.click("input[name=rows][value=none]")
    assert browser.run("[...document.querySelectorAll('input[name=rows]:checked')].map((e) => e.value)") == ["none"]
    browser.click('input[name=rows][value="4"]')
    assert browser.run("[...document.querySelectorAll('input[name=rows]:checked')].map((e) => e.value)") == ["4"]
    browser.click("#next")
    assert len(problems(browser)) == 3
    assert position(browser) == "Set 1 of 4"


def test_the_keyboard_is_enough(browser):
    def to(condition):
        for _ in range(20):
            if browser.run(f"(() => {{const e = document.activeElement; return {condition};}})()"):
                return
            browser.press("Tab")
        pytest.fail(f"Tab does not reach {condition}")

    to("e.id === 'consent'")
    browser.press(" ")
    to("e.closest('#start') && e.tagName === 'BUTTON'")
    browser.press("Enter")
    browser.until("!document.getElementById('trial').hidden")
    to("e.name === 'change'")
    browser.press(" ")
    to("e.name === 'amount'")
    browser.type("20")
    to("e.name === 'common'")
    browser.type("slant")
    to("e.name === 'rows'")
    browser.press(" ")
    for name in ("similarity", "difficulty"):
        to(f"e.name === '{name}'")
        browser.press(" ")
        browser.press("ArrowRight")
    to("e.id === 'next'")
    browser.press("Enter")
    assert position(browser) == "Set 2 of 4"
    kept = browser.run("Object.values(JSON.parse(localStorage[Object.keys(localStorage)[0]]).answers)[0]")
    assert kept == {
        **{"change": "yes", "amount": 20, "common": "slant", "rows": ["1"]},
        **{"similarity": "2", "difficulty": "2"},
    }


def test_a_phone_shows_the_pictures_beside_the_questions(browser):
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    start(browser)
    browser.click("input[name=change][value=yes]")
    assert browser.run("document.documentElement.scrollWidth") == 390
    browser.run("document.querySelector('[data-name=difficulty]').scrollIntoView()")
    pictures = "document.getElementById('rows').getBoundingClientRect()"
    question = "document.querySelector('[data-name=difficulty]').getBoundingClientRect()"
    assert browser.run(
        f"{pictures}.top >= 0 && {pictures}.bottom <= {question}.top && {question}.bottom <= innerHeight"
    )
    smallest = (
        "Math.min(...[...document.querySelectorAll('#trial label span')].map((e) => e.getBoundingClientRect().{}))"
    )
    assert browser.run(smallest.format("width")) >= 30
    assert browser.run(smallest.format("height")) >= 40


def test_participants_have_their_own_order_and_the_next_one_starts_afresh(browser):
    orders, kept = set(), "JSON.parse(localStorage[Object.keys(localStorage)[0]])"
    browser.run("window.confirm = () => true; 0")
    for _ in range(5):
        start(browser)
        state = browser.run(kept)
        assert state["participant"].startswith("p-")
        orders.add(tuple(state["order"]))
        for _ in range(4):
            browser.click("input[name=change][value=no]")
            browser.click("#next")
        browser.click("#restart")
        assert browser.run(kept)["session"] != state["session"]
        assert browser.run("document.getElementById('consent').checked") is False
    assert len(orders) > 1


def test_kept_answers_that_are_damaged_are_forgotten(browser):
    name = browser.run("Object.keys(localStorage)[0]")
    for damaged in ("{", "null", '{"order": []}', '{"order": ["a", "b", "c", "d"], "started": "x", "at": 9}'):
        browser.run(f"localStorage.setItem({json.dumps(name)}, {json.dumps(damaged)})")
        browser.run(
            "Object.defineProperty(Storage.prototype, 'setItem', {value() {}}); 0"
        )  # the page keeps nothing more
        browser.reload()
        assert browser.run("!document.getElementById('welcome').hidden")


def test_texts_of_the_page_are_only_texts(browser, tmp_path):
    hostile = "</script><script>window.run = 1</script><img src=x onerror='window.run = 2'>"
    content = {"format": 1, "study": "0" * 16, "rows": 5, "columns": 3, "title": hostile, "contact": hostile}
    page = tmp_path / "hostile.html"
    page.write_text(study_page({**content, "trials": [{"id": "a", "images": [""] * 5}]}))
    browser.open(f"file://{page}")
    browser.until(f"document.title === {json.dumps(hostile)}")
    assert hostile in browser.run("document.getElementById('send-to').textContent")
    assert browser.run("window.run === undefined")
