"""The page for measuring the answers, against the stand-in API, and the pieces it is made of."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from appliance.api.schemas.evaluations import EvaluationState
from tests.ui.api_standin import Standin
from tests.ui.evaluation_standin import Measuring
from tests.ui.ingest_standin import NOW
from ui import evaluation_view
from ui.client import ApiProblem, Client

pytestmark = pytest.mark.integration

PAYLOAD = "<img src=x onerror=owned>"


def _run(url: str, name: str = "adam") -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import evaluation

    client = Client(url, name)
    with pieces.problems_shown():
        pieces.say_what_was_kept()
        evaluation.page(client, client.me())


@pytest.fixture
def at(base_url: str) -> AppTest:
    return AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()


def shown(at: AppTest) -> str:
    """All the HTML on the page."""
    assert not at.exception, at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def choose(at: AppTest, label: str, value: str) -> AppTest:
    next(box for box in at.selectbox if box.label == label).set_value(value).run()
    return at


def test_the_history_tells_each_run_and_the_charts_how_it_went_over_time(at: AppTest) -> None:
    page = shown(at)
    assert page.count("questions.jsonl") >= 10
    assert "Recall@10 over 12 evaluations" in page
    assert page.count("<i style=") == 24  # two of the metrics were measured, in twelve whole runs
    at.button(key="evaluations-page-next").click().run()
    assert "The evaluation was cancelled." in shown(at)
    assert "read as those who asked" in shown(at)


def test_a_run_that_is_looked_at_shows_its_weakest_questions(at: AppTest) -> None:
    page = shown(at)
    assert "case 0?" in page
    assert "case 25?" not in page
    assert "<strong>policies/2.pdf" in page  # the evidence
    assert "<small>policies/1.pdf" in page
    assert "policies/4.pdf" not in page
    assert "not found" in page
    assert "2 of 3 citations right" in page
    assert "model-13" in page


def test_questions_that_do_not_count_are_told_of_one_run_and_of_two(at: AppTest, state: Standin) -> None:
    assert "went worst first</h2>" in shown(at)
    told = {
        "notices": ["Some questions name a document that is not in the appliance: 1 of 45: q1 (<b>.pdf)."],
        "not_asked": 1,
    }
    state.measuring.runs[0] = state.measuring.runs[0].model_copy(update=told)
    at.run()
    assert "1 of 45: q1 (&lt;b&gt;.pdf)." in shown(at)
    assert "went worst first; at the end those that were not asked</h2>" in shown(at)
    choose(at, "Compare with", "00000012-e")
    assert "1 of 45: q1 (&lt;b&gt;.pdf)." in shown(at)


def test_a_run_that_could_ask_nothing_is_told_as_an_error() -> None:
    run = Measuring().runs[0].model_copy(update={"notices": ["No question could be asked."]})
    (some,) = evaluation_view.notices(run)
    (none,) = evaluation_view.notices(run.model_copy(update={"asked_nothing": True}))
    assert ('role="alert"' in some, 'role="alert"' in none) == (False, True)


def test_a_question_that_was_not_asked_is_shown_as_such() -> None:
    absent = Measuring().question(1).model_copy(update={"absent": True, "ndcg": None, "first_rank": None})
    row = evaluation_view.questions([absent])
    cells = dict(re.findall(r'<td data-label="([^"]+)">(.*?)</td>', row))
    assert cells["First evidence"].startswith("names what is not in the appliance: policies/1.pdf")
    assert cells["First places"] == ""  # nothing was searched, so nothing was found
    assert "not asked" in row
    assert "not found" not in row


def test_of_a_run_with_other_groups_only_who_started_it_and_when_is_shown(at: AppTest, state: Standin) -> None:
    nothing = {"name": "", "groups": [], "total": 0, "done": 0, "metrics": {}, "settings": {}, "hidden": True}
    state.measuring.runs = [run.model_copy(update=nothing) for run in state.measuring.runs[:2]]
    at.run()
    page = shown(at)
    told = "By ada. Not for your groups: it was read with groups or levels that you do not have."
    assert page.count(told) == 2
    assert page.count('<td data-label="Golden set" colspan="6">') == 2  # in place of figures that are none
    assert "\N{EN DASH}" not in page.split("History")[1].split("</table>")[0]
    assert not [box for box in at.selectbox if box.label == "Evaluation"]
    begun = state.measuring.begin()
    at.run()
    assert f"{told} It is running." in shown(at)
    assert begun.hidden


def test_two_runs_are_compared_and_the_questions_sorted(at: AppTest) -> None:
    choose(at, "Compare with", "00000012-e")
    page = shown(at)
    assert "No metric got worse by more than 0.02." in page
    assert "3 questions went better and 1 worse, by any measure (sign test of better against worse: p = 0.625)." in page
    assert "Citation precision" not in page  # neither measured it
    assert page.index("q01") < page.index("q03") < page.index("q05")
    choose(at, "Sort the questions", "Best first")
    page = shown(at)
    assert page.index("q05") < page.index("q03") < page.index("q01")


def test_a_run_that_is_worse_by_more_than_allowed_is_marked(at: AppTest) -> None:
    choose(at, "Evaluation", "00000004-e")
    choose(at, "Compare with", "00000013-e")
    page = shown(at)
    assert "Worse by more than 0.02: Recall@10." in page
    assert 'role="alert"' in page
    assert "-0.180" in page
    at.number_input(key="max-drop").set_value(0.2).run()
    assert "No metric got worse by more than 0.2." in shown(at)


def test_what_people_found_helpful_is_run_and_can_be_cancelled(at: AppTest, state: Standin) -> None:
    next(button for button in at.button if button.label == "Run what people found helpful").click().run()
    assert state.measuring.started == [("feedback", b"", [], "false")]
    assert "Questions that people ask come first." in shown(at)
    next(button for button in at.button if button.label == "Cancel the evaluation").click().run()
    assert state.measuring.runs[0].state is EvaluationState.FAILED


def test_the_history_tells_of_a_run_that_goes_on_how_far_it_is_as_the_bar_does(at: AppTest, state: Standin) -> None:
    state.measuring.begin()  # it goes on between two looks
    at.run()
    (bar,) = at.get("progress")
    asked = bar.proto.text
    assert re.fullmatch(r"2\d of 45 questions asked", asked)
    assert f"<small>{asked} · read as" in shown(at)


def test_without_a_file_nothing_is_run(at: AppTest, state: Standin) -> None:
    next(button for button in at.button if button.label == "Run the golden set").click().run()
    assert "Choose the file" in shown(at)
    assert state.measuring.started == []


def test_every_metric_is_explained_in_a_sentence(at: AppTest) -> None:
    assert "Share of the evidence that is among the first 10 places." in shown(at)
    assert "lower; not part of the gate" in shown(at)


def test_the_threshold_is_explained_before_and_after_the_first_run(base_url: str, state: Standin, at: AppTest) -> None:
    page = shown(at)
    assert "Below 0.17 (retrieval.answerable_above) a reader is told that the documents do not answer." in page
    assert "Raise it to catch more, at the price of turning away more" in page
    assert "write answerable_above under [retrieval] in strongroom.toml" in page
    state.measuring.runs = []
    before = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    assert "Below 0.17 (retrieval.answerable_above)" in shown(before)
    assert "Answered from" not in shown(before)


def test_what_other_thresholds_would_do_with_the_questions_of_a_run_is_shown(at: AppTest) -> None:
    page = shown(at)
    rows = [re.findall(r"<td data-label=[^>]+>(.*?)</td>", row) for row in page.split("<tr>") if "Answered from" in row]
    told = [" ".join(re.sub(r"<[^>]+>", " ", cell) for cell in row).split() for row in rows if row]
    assert told == [
        ["0.10", "0", "of", "30", "(0%)", "6", "of", "15", "(40%)"],
        ["0.17", "in", "force", "1", "of", "30", "(3%)", "10", "of", "15", "(67%)"],
        ["0.30", "9", "of", "30", "(30%)", "15", "of", "15", "(100%)"],
    ]
    explained = page.index("Raise it to catch more")
    assert "<h2" not in page[explained : page.index('<h2 class="sr-small-head">What another threshold would do')]
    choose(at, "Compare with", "00000012-e")
    assert "What another threshold would do" not in shown(at)
    (alone,) = Measuring().thresholds()[:1]
    assert "\N{EN DASH}" in evaluation_view.thresholds([alone.model_copy(update={"unanswerable": 0, "caught": 0})])


def test_who_is_in_no_group_is_given_none_to_choose(base_url: str, at: AppTest) -> None:
    assert not at.multiselect
    assert "Read as everyone: you are in no group of your own." in shown(at)
    other = AppTest.from_function(_run, kwargs={"url": base_url, "name": "erin"}, default_timeout=20).run()
    assert other.multiselect(key="golden-groups").options == ["underwriting"]


def test_a_run_is_removed(at: AppTest, state: Standin) -> None:
    at.button(key="remove-00000013-e").click().run()
    assert "00000013-e" not in [run.id for run in state.measuring.runs]
    assert "The query log keeps its record." in shown(at)


def test_before_the_first_run_the_page_says_what_to_do(base_url: str, state: Standin) -> None:
    state.measuring.runs = []
    page = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    assert "Bring a golden set" in shown(page)


def test_a_golden_set_travels_as_it_is_and_a_refusal_comes_back(base_url: str, state: Standin) -> None:
    admin = Client(base_url, "adam")
    admin.evaluate("häuser.jsonl", b"{}\n\xff", ["claims", "a, b"], limit=None, answers=True)
    assert state.measuring.started == [("häuser.jsonl", b"{}\n\xff", ["claims", "a, b"], "true")]
    state.measuring.refusal = "Line 3 of the golden set is not JSON."
    with pytest.raises(ApiProblem, match="Line 3"):
        admin.evaluate("set", b"x", [], limit=5, answers=False)


def test_whatever_a_set_is_called_or_asks_it_stays_letters() -> None:
    poisoned = Measuring(PAYLOAD)
    run = poisoned.runs[0]
    pages = [
        evaluation_view.charts(poisoned.runs, poisoned.metrics()),
        evaluation_view.history(poisoned.runs, poisoned.metrics()),
        evaluation_view.questions([poisoned.question(number) for number in range(6)]),
        evaluation_view.in_force(run),
        *evaluation_view.notices(run.model_copy(update={"notices": [PAYLOAD]})),
        evaluation_view.verdict(poisoned.comparison(run.id, run.id, 0.02)),
        evaluation_view.settings_changed(poisoned.comparison(run.id, run.id, 0.02)),
        evaluation_view.question_changes(poisoned.comparison(run.id, run.id, 0.02).questions),
    ]
    assert "&lt;img" in "".join(pages)
    assert "<img" not in "".join(pages)


def test_a_chart_says_in_words_what_it_draws_and_stays_in_its_frame() -> None:
    metrics = Measuring().metrics()
    runs = [
        Measuring().runs[0].model_copy(update={"metrics": {"ndcg@10": value}, "started_at": NOW})
        for value in (-0.5, 0.25, 7.0, None)
    ]
    drawn = evaluation_view.charts(runs, metrics)
    assert 'aria-label="nDCG@10 over 3 evaluations: -0.500, 0.250, 7.000"' in drawn
    assert [part.split("%")[0] for part in drawn.split("height: ")[1:]] == ["0.0", "25.0", "100.0"]
    assert evaluation_view.charts(runs[-1:], metrics).count("figure") == 0


def test_citations_of_quoted_passages_and_of_answers_are_not_drawn_as_one_and_are_told_apart() -> None:
    runs = [
        Measuring().runs[0].model_copy(update={"metrics": {"citation_precision": value, **more}, "answers": answers})
        for value, answers, more in ((0.8, True, {"written_by_model": 1.0}), (0.5, False, {}), (0.6, False, {}))
    ]
    assert 'aria-label="citation_precision over 2 evaluations: 0.500, 0.600"' in evaluation_view.charts(runs, [])
    told = evaluation_view.history(runs, [])
    assert told.count("citations of quoted passages") == 2
    assert told.count("citations of answers of the language model") == 1


def test_a_change_that_was_not_measured_is_no_success() -> None:
    state = Measuring()
    found = state.comparison(state.runs[0].id, state.runs[0].id, 0.02)
    assert "No metric got worse" in evaluation_view.verdict(found)
    told = evaluation_view.verdict(found.model_copy(update={"not_yet": 1, "passes": False, "after_only": 3}))
    assert "1 document was still cut or embedded as before" in told
    assert "0 questions of the earlier one were not asked, 3 are new." in told


def test_what_a_comparison_could_not_ask_any_more_is_no_success_and_says_what_to_do() -> None:
    state = Measuring()
    found = state.comparison(state.runs[0].id, state.runs[-1].id, 1.0)
    lost = {"absent": 2, "absent_named": f"q1 (travel.md), q2 ({PAYLOAD})", "before_only": 2, "passes": False}
    told = evaluation_view.verdict(found.model_copy(update=lost))
    assert "2 questions that counted in the earlier evaluation were not asked" in told
    assert "q1 (travel.md)" in told
    assert "out of the golden set" in told
    assert "Worse by more" not in told
    assert "<img" not in told
    worse = [metric.model_copy(update={"fails": True}) for metric in found.metrics[:1]]
    assert "Worse by more than 1: Recall@10." in evaluation_view.verdict(
        found.model_copy(update=lost | {"metrics": worse})
    )
