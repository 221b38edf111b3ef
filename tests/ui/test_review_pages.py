"""The review queue and the cases, in Streamlit's own test runner against the stand-in API."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from appliance.api.schemas.log import ExportAskedOut, OpeningOut
from appliance.domain import Selects
from tests.ui.api_standin import Standin, create_api
from tests.ui.ingest_standin import NOW
from tests.ui.test_client import Served
from tests.ui.test_pages import shown

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def state() -> Standin:
    return Standin()


@pytest.fixture(scope="module")
def base_url(state: Standin) -> Iterator[str]:
    with Served(create_api(state)) as url:
        yield url


def _run(url: str, name: str) -> None:
    import importlib

    from ui import pieces
    from ui.client import Client

    with pieces.problems_shown():
        importlib.import_module(f"ui.screens.{name}").page(Client(url, "cora"))


def run(base_url: str, name: str) -> AppTest:
    return AppTest.from_function(_run, kwargs={"url": base_url, "name": name}, default_timeout=20).run()


def test_an_answer_that_waits_is_opened_with_what_an_officer_needs(base_url: str) -> None:
    at = run(base_url, "review_queue")
    assert "What does a clerk earn?" in shown(at)
    at.button(key="review-q-waiting").click().run()
    for words in (
        "Salary bands",
        "Less than half of the answer stands in the passages",
        "5 % of the answers that cite",
    ):
        assert words in shown(at), words
    assert 'Between <mark>40,000</mark> and 50,000 <span class="sr-chip">1</span>.' in shown(at)
    assert [item.key for item in (*at.radio, *at.text_area)] == ["verdict-q-waiting", "notes-q-waiting"]
    assert at.selectbox(key="case-q-waiting").options == ["A new case", "Case 3: Salaries seen"]


def test_a_queue_that_is_drawn_again_reads_the_log_once_and_refreshing_reads_it_again(
    base_url: str, state: Standin
) -> None:
    def read() -> int:
        return sum(path == "/api/compliance/reviews" for _, path, _ in state.requests)

    before = read()
    at = run(base_url, "review_queue")
    at.run()
    assert read() == before + 1
    at.button(key="reviews-refresh").click().run()
    assert read() == before + 2


def test_who_stands_on_a_page_that_is_gone_is_shown_the_last_there_is(base_url: str, state: Standin) -> None:
    state.review_desk.drawn = 26
    at = run(base_url, "review_queue")
    at.button(key="reviews-waiting-next").click().run()
    assert "Page 2 of 2" in shown(at)
    state.review_desk.drawn = 25
    at.button(key="reviews-refresh").click().run()
    state.review_desk.drawn = 1
    assert sum(button.label.startswith("Open answer") for button in at.button) == 25
    assert "Nothing waits for review." not in shown(at)


def test_an_empty_queue_says_that_no_rule_fills_it(
    base_url: str, state: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state.review_desk, "drawn", 0)
    page = shown(run(base_url, "review_queue"))
    assert "Nothing waits for review." in page
    assert "Make one under" not in page
    monkeypatch.setattr(state.review_desk, "has_rule", False)
    assert "No rule draws answers, so none will. Make one under &#x27;Rules&#x27;." in shown(
        run(base_url, "review_queue")
    )


def test_a_case_is_opened_with_a_reason_and_questions(base_url: str, state: Standin) -> None:
    at = run(base_url, "cases")
    assert "3. Salaries seen" in shown(at)
    next(item for item in at.text_input if item.label == "Title").set_value("Hotels")
    at.text_area[0].set_value("Somebody said so.")
    next(item for item in at.text_input if item.label == "Questions, by their ids").set_value("q-1  q-2")
    next(button for button in at.button if button.label == "Open the case").click().run()
    (wanted,) = state.review_desk.opened
    assert (wanted.title, wanted.reason, wanted.query_ids) == ("Hotels", "Somebody said so.", ["q-1", "q-2"])
    next(button for button in at.button if button.label == "Open case 3").click().run()
    (field,) = (item for item in at.text_input if item.label == "Question, by its id")
    assert "'Id of the question' in its entry" in field.placeholder


def test_a_case_tells_what_it_is_about_then_its_questions_its_record_and_its_acts_and_the_evidence_last(
    base_url: str,
) -> None:
    at = run(base_url, "cases")
    at.button(key="case-case-1").click().run()
    case = shown(at)[shown(at).index("<h2>3. Salaries seen") :]
    order = ["Told by a clerk.", "Questions", "That.", "On record", "Question put in"]
    assert [case.index(words) for words in order] == sorted(case.index(words) for words in order)
    assert case.count("Told by a clerk.") == 1
    assert "What?" in case[case.index("Question put in") :]  # and not its id
    labels = [block.label for block in (*at.tabs, *at.expander)]
    assert labels[-1] == "Evidence package"
    assert not at.expander[-1].proto.expanded


def test_the_case_that_is_open_stands_in_the_address_and_is_opened_from_there(base_url: str, state: Standin) -> None:
    state.requests.clear()
    at = run(base_url, "cases")
    at.button(key="case-case-1").click().run()
    assert at.query_params["case"] == "case-1"
    del at.query_params["case"]  # closed, and opened again: that is a reading of its own
    at.run()
    at.query_params["case"] = "case-1"
    assert "Told by a clerk." in shown(at.run())
    assert sum(path == "/api/compliance/cases/case-1" for _, path, _ in state.requests) == 2
    at = AppTest.from_function(_run, kwargs={"url": base_url, "name": "cases"}, default_timeout=20)
    at.query_params["case"] = "case-1"
    assert "Told by a clerk." in shown(at.run())
    state.opening = OpeningOut(reason="", until=None)  # nothing of it before there is a reason to read the log
    at = AppTest.from_function(_run, kwargs={"url": base_url, "name": "cases"}, default_timeout=20)
    at.query_params["case"] = "case-1"
    page = shown(at.run())
    state.opening = Standin().opening
    assert ("Why do you read the log?" in page, "Told by a clerk." in page) == (True, False)


@pytest.mark.parametrize(("named", "told"), [("", False), ("../", True), ("case-1/package", True)])
def test_an_address_that_names_no_case_opens_none(base_url: str, state: Standin, named: str, told: bool) -> None:
    state.requests.clear()
    at = AppTest.from_function(_run, kwargs={"url": base_url, "name": "cases"}, default_timeout=20)
    at.query_params["case"] = named
    page = shown(at.run())
    assert ("Not found, or not yours to see." in page, "cannot read" in page) == (told, False)
    assert not any(path.startswith("/api/compliance/cases/") for _, path, _ in state.requests)


@pytest.mark.parametrize(("chosen", "done"), [("case-1", "The question is in case 3."), ("", "Case 3 is open, with")])
def test_a_question_is_put_in_a_case_from_its_entry(base_url: str, state: Standin, chosen: str, done: str) -> None:
    def entry(url: str) -> None:
        from ui import pieces
        from ui.client import Client
        from ui.screens import into_case

        with pieces.problems_shown():
            into_case.offer(Client(url, "cora"), "q-2")

    def asked() -> bool:
        return any(path == "/api/compliance/cases" for _, path, _ in state.requests)

    state.requests.clear()
    put, opened = len(state.review_desk.put), len(state.review_desk.opened)
    at = AppTest.from_function(entry, kwargs={"url": base_url}, default_timeout=20).run()
    assert not asked()  # the list of cases is of the log
    at.session_state["into-case-q-2"] = True
    at.run()
    assert at.selectbox(key="into-q-2").options == ["A new case", "Case 3: Salaries seen"]
    assert at.button(key="put-q-2").disabled
    at.selectbox(key="into-q-2").set_value(chosen).run()
    if chosen:
        at.button(key="put-q-2").click().run()
        assert state.review_desk.put[put:] == [("case-1", "q-2")]
    else:
        at.text_input[0].set_value("Gifts")
        at.text_area[0].set_value("The code says it.")
        next(button for button in at.button if button.label == "Open the case").click().run()
        (wanted,) = state.review_desk.opened[opened:]
        assert (wanted.title, wanted.reason, wanted.query_ids) == ("Gifts", "The code says it.", ["q-2"])
    assert done in shown(at)
    assert not at.selectbox  # folded: the act is done
    at.session_state["into-case-q-2"] = True
    assert at.run().selectbox(key="into-q-2").value is None


def test_a_case_without_a_question_says_that_it_has_no_evidence_yet(base_url: str, state: Standin) -> None:
    state.desk.may_export_until = NOW
    for questions, offered in ((1, True), (0, False)):
        state.review_desk.in_case = questions
        at = run(base_url, "cases")
        at.button(key="case-case-1").click().run()
        assert ("/api/compliance/cases/case-1/package" in shown(at)) == offered
        assert ("There is no question in this case yet" in shown(at)) != offered
    state.review_desk.in_case, state.desk.may_export_until = 1, None


def test_the_evidence_of_a_selection_is_one_link_once_two_officers_agreed(base_url: str, state: Standin) -> None:
    at = run(base_url, "cases")
    at.text_input(key="evidence-ids").set_value("q-1 q&2").run()
    assert "/api/compliance/package" not in shown(at)
    state.desk.may_export_until = NOW
    at.run()
    assert "/api/compliance/package?query_id=q-1&amp;query_id=q%262" in shown(at)


@pytest.mark.parametrize(
    ("own", "words"), [(True, "You asked on"), (False, "<b>cleo</b> asked on")], ids=["one's own", "another's"]
)
def test_what_waits_for_a_second_officer_is_told_and_not_asked_for_again(
    base_url: str, state: Standin, own: bool, words: str
) -> None:
    state.desk.may_export_until = state.desk.export_asked = None
    at = run(base_url, "cases")
    at.text_input(key="evidence-ids").set_value("q-1").run()
    assert "Why it is taken out" in [item.label for item in at.text_input]
    state.desk.export_asked = ExportAskedOut(asked_by="<b>cleo</b>", asked_at=NOW, lapses_at=NOW, own=own)
    at.run()
    assert "Why it is taken out" not in [item.label for item in at.text_input]
    assert html.escape(words) in shown(at)
    assert "who decides under Data protection" in shown(at)
    state.desk.export_asked = None


def test_a_selection_that_is_drawn_again_is_looked_for_once_and_another_one_anew(base_url: str, state: Standin) -> None:
    def looked_for() -> int:
        return sum(path == "/api/compliance/package/questions" for _, path, _ in state.requests)

    before = looked_for()
    at = run(base_url, "cases")
    at.text_input(key="evidence-ids").set_value("q-1 q-2").run()
    at.run()
    assert looked_for() == before + 1
    at.text_input(key="evidence-ids").set_value("q-1").run()
    at.run()
    assert looked_for() == before + 2
    for _ in range(2):  # what was not found may be there by now
        at.text_input(key="evidence-ids").set_value("unknown").run()
        assert "The query log has no question with this id." in shown(at)
    assert looked_for() == before + 4


def test_of_a_question_that_there_is_not_no_evidence_is_offered_or_asked_for(base_url: str, state: Standin) -> None:
    for may_export_until in (None, NOW):
        state.desk.may_export_until = may_export_until
        at = run(base_url, "cases")
        forms = len(at.button)
        at.text_input(key="evidence-ids").set_value("q-1 unknown").run()
        assert "The query log has no question with this id." in shown(at)
        assert "/api/compliance/package" not in shown(at)
        assert len(at.button) == forms


def test_a_rule_is_made_by_its_choices(base_url: str, state: Standin) -> None:
    def rules(url: str) -> None:
        from ui.client import Client
        from ui.screens import sampling_rules

        sampling_rules.show(Client(url, "cora"))

    at = AppTest.from_function(rules, kwargs={"url": base_url}, default_timeout=20).run()
    assert "5 % of the answers that cite Policies" in shown(at)
    at.selectbox(key="rule-selects").set_value(Selects.FLAG).run()
    at.selectbox(key="rule-flag").set_value("low_grounding")
    at.number_input(key="rule-share").set_value(12.5)
    at.button(key="rule-make").click().run()
    made = state.review_desk.made[-1]
    assert (made.selects, made.subject, made.share_percent) == (Selects.FLAG, "low_grounding", 12.5)
    rules_before = len(state.review_desk.made)
    for share, told in ((0.0, "must be at least 0.01"), (101.0, "may be at most 100")):
        at.number_input(key="rule-share").set_value(share)
        at.button(key="rule-make").click().run()
        assert f"Share in percent {told}" in shown(at)
        assert at.number_input(key="rule-share").value == share
    assert len(state.review_desk.made) == rules_before


def test_whoever_decides_about_closing_a_case_is_shown_what_is_proposed(base_url: str) -> None:
    def closing(url: str) -> None:
        from ui.client import Client
        from ui.screens import cases

        cases._open(Client(url, "cora"), "closing")

    at = AppTest.from_function(closing, kwargs={"url": base_url}, default_timeout=20).run()
    assert "Proposed to close it" in shown(at)
    assert "To be decided: to close this case. What came of it: Put right." in shown(at)
    assert [button.label for button in at.button if button.label in ("Agree", "Do not agree")]
