"""The pages run in Streamlit's own test runner against the stand-in API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from appliance import flags
from appliance.api.schemas.asking import Question
from appliance.api.schemas.log import OpeningOut
from appliance.api.schemas.pages import PARTS
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.api.schemas.replays import NoteOut
from appliance.api.schemas.shapes import Problem
from appliance.compliance.openings import MIN_WORDS
from appliance.domain import AnswerKind
from appliance.replay.outcome import Finding
from appliance.wording import day
from tests.ui.api_standin import HANDBOOK, POLICY, Standin
from tests.ui.ingest_standin import NOW
from tests.ui.test_front_page import APP
from ui.conversation import Conversation
from ui.screens import log_questions

pytestmark = pytest.mark.integration


def _run_ask(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import ask

    with pieces.problems_shown():
        ask.page(Client(url, "erin"))


def _run_admin(url: str) -> None:
    from ui import pieces, shown_once
    from ui.client import Client
    from ui.screens import admin

    client = Client(url, "adam")
    with pieces.problems_shown():
        pieces.say_what_was_kept()
        shown_once.show()
        admin.page(client, client.me())


def _run_page(url: str, session: str, name: str) -> None:
    import importlib

    from ui import pieces
    from ui.client import Client

    with pieces.problems_shown():
        importlib.import_module(f"ui.screens.{name}").page(Client(url, session))


def _run_access(url: str) -> None:
    from ui.client import Client
    from ui.screens import access

    access.page(Client(url, "adam"), [])


def _run_library(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import library

    with pieces.problems_shown():
        library.page(Client(url, "erin"))


def _run_replay(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.replay_view import offer_replay

    with pieces.problems_shown():
        offer_replay(Client(url, "cora"), "q-0")


def _run_log(url: str, session: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import compliance

    with pieces.problems_shown():
        compliance.page(Client(url, session))


def shown(at: AppTest) -> str:
    """All the HTML on the page."""
    assert not at.exception, at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def test_a_question_that_is_too_long_is_not_asked_says_the_limit_and_stays_in_the_field(
    state: Standin, base_url: str
) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    words = "Why? " * 4_400
    at.chat_input[0].set_value(words).run()
    assert "A question may have at most 20,000 characters, and this one has 21,999." in shown(at)
    assert at.chat_input[0].proto.value == words.strip()
    assert "sr-answer" not in shown(at)
    at.chat_input[0].set_value("How long?").run()
    assert "sr-answer" in shown(at)
    assert "20,000" not in shown(at)


def test_an_answer_shows_its_kind_its_sources_and_its_notices(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    assert "Ask your documents" in shown(at)
    at.chat_input[0].set_value("How long?").run()
    page = shown(at)
    assert "Written by the language model from the sources below" in page
    assert "records-retention.pdf" in page
    assert "One passage is from a document that has since changed." in page
    assert [button.label for button in at.button if button.label.startswith("Open source")] == [
        "Open source 1",
        "Open source 2",
    ]


def test_sources_that_stand_in_the_same_place_or_in_none_are_told_apart_by_their_first_words(
    state: Standin, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = state.passages()
    texts = (
        "3. Parking\nVisitors park at the gate. " + "They leave at six. " * 9,
        "7. Alarm\nVisitors go to <b>place B</b>.",
    )
    nowhere = first.place.model_copy(update={"page": None, "label": "", "headings": []})
    one_file = [first.model_copy(update={"text": text}) for text in texts]
    one_file = [it.model_copy(update={"number": number}) for number, it in enumerate(one_file, start=1)]
    plain = [it.model_copy(update={"place": nowhere}) for it in one_file]
    opened = ["“3. Parking Visitors park at the gate. They leave at six. They leave …”",
              "“7. Alarm Visitors go to &lt;b&gt;place B&lt;/b&gt;.”"]  # fmt: skip
    for passages, told in ((plain, True), (plain[:1], True), (one_file, True), ([one_file[0], second], False)):
        monkeypatch.setattr(state, "passages", lambda passages=passages: passages)
        at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
        at.chat_input[0].set_value("How long?").run()
        page = shown(at)
        assert [words in page for words in opened[: len(passages)]] == [told] * len(passages)


@pytest.mark.parametrize(
    ("question", "words"),
    [("quote it", "Quoted from documents (no language model)"), ("unknown matter", "Not in the documents")],
)
def test_an_answer_without_a_model_or_without_documents_says_so(base_url: str, question: str, words: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value(question).run()
    assert words in shown(at)


def test_a_source_that_is_opened_is_called_by_the_headings_that_its_card_names(base_url: str, state: Standin) -> None:
    list(state.ask(Question(question="How long is leave?")))
    [(key, [turn])] = state.turns.items()
    passage = turn.citations[0]
    cited = passage.place.model_copy(update={"headings": ["Records", "Under which the quotation stands"]})
    state.turns[key] = [turn.model_copy(update={"citations": [passage.model_copy(update={"place": cited})]})]
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"] = key
    at.run()
    assert shown(at).count("Under which the quotation stands") == 1
    at.button(key=f"open-{turn.query_id}-{passage.number}").click().run()
    assert shown(at).count("Under which the quotation stands") == 2


def test_the_source_that_is_open_stands_in_the_address_by_ids_alone(base_url: str, state: Standin) -> None:
    def passages_read() -> int:
        return sum(path.startswith("/api/passages/") for _, path, _ in state.requests)

    list(state.ask(Question(question="How long is leave?")))
    [(key, [turn])] = state.turns.items()
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"] = key
    at.run()
    at.button(key=f"open-{turn.query_id}-1").click().run()
    assert at.query_params == {"conversation": key, "source": f"{turn.query_id}-1"}
    assert ("sr-context" in shown(at), passages_read()) == (True, 1)
    del at.query_params["source"]  # closed, or left by the browser's way back
    page = shown(at.run())
    assert ("sr-context" in page, "sr-answer" in page, passages_read()) == (False, True, 1)
    at.query_params["source"] = f"{turn.query_id}-1"
    assert ("sr-context" in shown(at.run()), passages_read()) == (True, 2)


def test_a_source_that_was_withdrawn_meanwhile_is_refused_to_who_comes_back_to_its_address(
    base_url: str, state: Standin
) -> None:
    list(state.ask(Question(question="How long is leave?")))
    [(key, [turn])] = state.turns.items()
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"], at.query_params["source"] = key, f"{turn.query_id}-1"
    assert "sr-context" in shown(at.run())
    del at.query_params["source"]
    at.run()
    state.gone.add(f"/api/passages/{turn.citations[0].chunk_id}")
    at.query_params["source"] = f"{turn.query_id}-1"
    page = shown(at.run())
    assert ("Not found, or not yours to see." in page, "sr-context" in page, "sr-page" in page) == (True, False, False)


@pytest.mark.parametrize("named", ["", "1", "<b>none", "../people"])
def test_an_address_that_names_no_source_of_the_conversation_opens_none(
    base_url: str, state: Standin, named: str
) -> None:
    list(state.ask(Question(question="How long is leave?")))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"], at.query_params["source"] = *state.turns, named
    at.run()
    assert "source" not in at.query_params
    assert ("sr-answer" in shown(at), "sr-context" in shown(at)) == (True, False)
    assert "The source of this address cannot be opened." in at.session_state["strongroom_flash"][0][0]
    assert not any(path.startswith("/api/passages/") for _, path, _ in state.requests)


def test_how_far_an_answer_stands_on_its_passages_is_told_sentence_by_sentence(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("How long?").run()
    assert [expander.label for expander in at.expander] == ["Grounded: 1 of 2 sentences stands in the cited passages"]
    assert "Found [1]" in shown(at)
    assert "Not found: 10" in shown(at)
    assert '<mark class="sr-doubt">10<' in shown(at)


def test_the_sentence_nearest_to_the_question_is_highlighted_in_a_quotation(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("quote it").run()
    assert "<mark>Records of a </mark>" in shown(at)
    assert not at.expander


def test_what_was_searched_for_in_place_of_a_follow_up_is_shown(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("How long?").run()
    assert "Searched for" not in shown(at)
    at.chat_input[0].set_value("And letters?").run()
    assert "Searched for: And letters? (records retention)" in shown(at)


def test_a_question_that_failed_is_kept_and_can_be_asked_again(base_url: str, state: Standin) -> None:
    state.fail_ask_with = Problem(code="audit_unavailable", message="The query log cannot be written.")
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("How long?").run()
    assert "The query log cannot be written." in shown(at)
    assert "How long?" in shown(at)
    assert "conversation" not in at.query_params  # there is no answer yet that it could lead to
    state.fail_ask_with = None
    at.button(key="ask-again").click().run()
    assert "ten years" in shown(at)
    assert "cannot be written" not in shown(at)
    assert at.query_params["conversation"] in state.turns


def test_a_question_in_a_conversation_that_was_deleted_elsewhere_says_so_and_begins_a_new_one(
    base_url: str, state: Standin
) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("How long?").run()
    (deleted,) = state.turns
    state.turns.clear()
    at.chat_input[0].set_value("And letters?").run()
    assert "This conversation was deleted, or is not there any more." in shown(at)
    assert "How long?" not in shown(at)
    assert "conversation" not in at.query_params
    at.button(key="ask-again").click().run()
    ((begun, turns),) = state.turns.items()
    assert [turn.question for turn in turns] == ["And letters?"]
    assert deleted != begun == at.query_params["conversation"]
    assert "not there any more" not in shown(at)


def test_an_answer_to_thanks_is_not_to_be_judged(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("Thank you!").run()
    assert "Nothing was searched for" in shown(at)
    assert "Was this helpful?" not in shown(at)
    at.chat_input[0].set_value("How long?").run()
    assert "Was this helpful?" in shown(at)


def test_a_thumb_goes_on_record(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    at.chat_input[0].set_value("How long?").run()
    next(button for button in at.button if button.label == "Helpful").click().run()
    assert [body.verdict for _, body in state.feedback] == ["up"]
    assert "You found this helpful." in shown(at)


def test_of_many_conversations_the_latest_are_listed_and_all_of_them_found(base_url: str, state: Standin) -> None:
    for number in range(30):
        list(state.ask(Question(question=f"How long is leave {number}? <b>")))
    oldest = next(iter(state.turns))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()

    def listed(beginning: str) -> list[str]:
        return [str(button.key) for button in at.button if str(button.key).startswith(beginning)]

    assert len(listed("history-")) == 8
    at.button(key="all-conversations").click().run()
    assert len(listed("found-")) == 20
    assert "How long is leave 10? &lt;b&gt;" in shown(at)
    at.session_state["history-words"] = "0? leave"
    at.button(key="all-conversations").click().run()
    assert [words in shown(at) for words in ("leave 0?", "leave 10?", "leave 20?", "leave 11?")] == [*[True] * 3, False]
    at.session_state["strongroom_ask"] = Conversation(id=oldest, turns=state.turns[oldest])
    at.run()
    assert listed("history-")[0] == f"history-{oldest}"  # where it can be deleted
    at.session_state["history-words"] = "pay"
    at.button(key="all-conversations").click().run()
    assert "No conversation of yours begins with a question that has all of these words." in shown(at)


def test_few_conversations_are_all_listed(base_url: str, state: Standin) -> None:
    for number in range(8):
        list(state.ask(Question(question=f"How long is leave {number}?")))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20).run()
    keys = [str(button.key) for button in at.button]
    assert sum(key.startswith("history-") for key in keys) == 8
    assert "all-conversations" not in keys


def test_the_conversation_on_the_screen_stands_in_the_address_and_is_opened_from_there(
    base_url: str, state: Standin
) -> None:
    list(state.ask(Question(question="How long is leave?")))
    here = next(iter(state.turns))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"] = here
    at.run()
    assert "How long is leave?" in shown(at)
    at.button(key="new-conversation").click().run()
    assert "conversation" not in at.query_params
    assert "Ask your documents" in shown(at)
    at.button(key=f"history-{here}").click().run()
    assert at.query_params["conversation"] == here
    del at.query_params["conversation"]  # the browser's way back
    at.run()
    assert "Ask your documents" in shown(at)


def test_an_address_whose_conversation_there_is_not_leads_to_a_new_one(base_url: str) -> None:
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"] = "<b>none"
    at.run()
    assert "Ask your documents" in shown(at)
    assert "conversation" not in at.query_params
    assert at.chat_input[0].value is None


def test_an_address_that_cannot_be_followed_now_is_kept_and_followed_once_it_can(base_url: str, state: Standin) -> None:
    list(state.ask(Question(question="How long is leave?")))
    (here,) = state.turns
    state.down.add(("GET", f"/api/conversations/{here}"))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["conversation"] = here
    for _ in ("at first", "drawn again"):
        at.run()
        assert "does not answer. Try again later." in shown(at)
        assert at.query_params["conversation"] == here
    state.down.clear()
    assert "How long is leave?" in shown(at.run())


def test_a_question_that_failed_waits_in_its_conversation_while_another_one_is_looked_at(
    base_url: str, state: Standin
) -> None:
    for question in ("How long is leave?", "Who approves it?"):
        list(state.ask(Question(question=question)))
    first, second = state.turns
    state.fail_ask_with = Problem(code="audit_unavailable", message="The query log cannot be written.")
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)

    def follow(conversation: str) -> bool:
        """Whether a question waits at this address."""
        at.query_params["conversation"] = conversation
        at.run()
        return "The query log cannot be written." in shown(at)

    assert [follow(first), follow(second), follow("")] == [False, False, False]
    at.chat_input[0].set_value("In a new one?").run()
    follow(first)
    at.chat_input[0].set_value("In the first?").run()
    assert [follow(second), follow("<b>none")] == [False, True]  # there is none of that address: a new one
    assert follow("")
    assert "In a new one?" in shown(at)
    state.down.add(("GET", f"/api/conversations/{first}"))
    follow(first)
    state.down.clear()
    assert follow(first)
    assert "In the first?" in shown(at)
    at.button(key="new-conversation").click().run()
    assert "cannot be written" not in shown(at)  # it begins with nothing
    assert follow(first)
    state.fail_ask_with = None
    at.button(key="ask-again").click().run()
    assert [turn.question for turn in state.turns[first]] == ["How long is leave?", "In the first?"]
    assert [follow(second), follow(first)] == [False, False]


def test_a_question_whose_answer_the_reader_did_not_wait_for_is_not_offered_again_beside_its_answer(
    base_url: str, state: Standin
) -> None:
    list(state.ask(Question(question="How long is leave?")))
    (here,) = state.turns
    left = Conversation(id=here, turns=list(state.turns[here]), asking="And in Geneva?")
    list(state.ask(Question(question=left.asking, conversation_id=here)))
    at = AppTest.from_function(_run_ask, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["strongroom_ask"] = left
    at.query_params["conversation"] = here
    assert "The answer was interrupted." in shown(at.run())
    for address in ("", here):
        at.query_params["conversation"] = address
        at.run()
    assert shown(at).count("And in Geneva?</div>") == 1
    assert "The answer was interrupted." not in shown(at)


def test_an_open_tab_of_the_admin_is_the_only_one_that_is_asked_for(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20).run()
    assert "/srv/documents/policies" in shown(at)
    asked = {path for _, path, _ in state.requests}
    assert asked == {"/api/session", "/api/sources", "/api/runs", "/api/files", "/api/access/terms"}
    files = [query for _, path, query in state.requests if path == "/api/files"]
    assert {query["source_id"] for query in files} == {"s-3"}  # the latest of the place for uploads, and no more


def test_an_address_opens_the_part_that_it_names_and_none_that_there_is_not(base_url: str) -> None:
    for named, opened in (("Health", "Health"), ("Nowhere", "Sources")):
        at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
        at.query_params["admin-tab"] = named
        at.run()
        assert at.session_state["admin-tab"] == opened
        assert ("Ollama does not answer" in shown(at)) == (opened == "Health")
        assert ("admin-tab" in at.query_params) == (opened == named)


def test_the_sign_in_leads_back_to_what_the_pages_call_their_parts(base_url: str) -> None:
    def tabs(name: str) -> tuple[str, ...]:
        asked = {"url": base_url, "session": "cora", "name": name}
        at = AppTest.from_function(_run_page, kwargs=asked, default_timeout=20).run()
        return tuple(tab.label for tab in at.tabs)

    admin = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20).run()
    access = AppTest.from_function(_run_access, kwargs={"url": base_url}, default_timeout=20).run()
    assert tuple(tab.label for tab in admin.tabs) == PARTS["admin"]["admin-tab"]
    assert tuple(access.radio(key="access-view").options) == PARTS["admin"]["access-view"]
    assert tabs("compliance") == PARTS["compliance"]["log-tab"]
    assert tabs("review_queue") == PARTS["review"]["reviews-tab"]


def test_nothing_of_the_log_is_asked_for_before_there_is_a_reason(base_url: str, state: Standin) -> None:
    state.opening = OpeningOut(reason="", until=None)
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    assert "Why do you read the log?" in shown(at)
    assert (MIN_WORDS, "Write at least three words." in shown(at)) == (3, True)
    assert {path for _, path, _ in state.requests} <= {"/api/log/openings/mine", "/api/log/condition"}
    at.text_input(key="log-reason").set_value("Complaint of a reader")
    at.button[0].click().run()
    assert "Complaint of a reader" in shown(at)
    assert "Why do you read the log?" not in shown(at)
    assert any(path == "/api/log/queries" for _, path, _ in state.requests)


def test_that_the_documents_do_not_say_is_told_once_of_a_question(state: Standin) -> None:
    query = state.queries()[2].model_copy(update={"kind": AnswerKind.ABSTAINED})
    abstained = query.flags[0].model_copy(update={"name": "abstained"})
    card = log_questions._card(query.model_copy(update={"flags": [abstained, *query.flags]}))
    assert card.count("not in the documents") == 1
    assert "abstained" not in card
    assert flags.WORDS[query.flags[0].name] in card


def test_drawing_the_log_again_does_not_read_it_again(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    at.run()
    at.button(key="verify").click().run()
    assert "The log is intact: 900 entries checked." in shown(at)
    readings = [path for _, path, _ in state.requests if path.startswith("/api/log/queries")]
    assert len(readings) == 1
    at.button(key="refresh").click().run()
    assert "The log is intact" not in shown(at)  # it was so then
    assert len([path for _, path, _ in state.requests if path.startswith("/api/log/queries")]) == 2


def test_alarms_and_the_latest_verification_stand_above_the_log(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    assert "900 entries, no fault; every day at 3:00" in shown(at)
    assert "Alarm" not in shown(at)
    state.alarmed = True
    at.run()
    assert "Nothing is recorded, since" in shown(at)
    assert "The disk is full." in shown(at)


def test_the_log_is_searched_thirty_days_back_and_further_when_asked(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    (first,) = [query for _, path, query in state.requests if path == "/api/log/queries"]
    month_ago = datetime.now(UTC).date() - timedelta(days=30)
    assert first["since"].startswith(month_ago.isoformat())
    at.date_input(key="log-since").set_value(None)
    at.text_input(key="log-person").set_value("P-7K3M9-Q2XDA")
    at.selectbox(key="log-flag").set_value("personal_data.iban").run()
    last = [query for _, path, query in state.requests if path == "/api/log/queries"][-1]
    assert "since" not in last
    assert (last["person"], last["flag"]) == ("P-7K3M9-Q2XDA", "personal_data.iban")


def test_an_entry_shows_its_flags_its_proof_and_what_the_officer_may_see_of_its_sources(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    at.button(key="entry-q-2").click().run()
    entry = shown(at)
    assert "The question holds an e-mail address. <small>once</small>" in entry  # where, its meaning says
    assert "told a language model what to do. <small>passage 3</small>" in entry
    assert "<dt>In a case</dt><dd>Case 3: Salaries seen</dd>" in entry
    assert "ab" * 32 in entry.split("Leaf hash")[1]
    assert "not within your own access" in entry
    assert at.button(key="look-c-1-button").label == "Look at passage 1: Records Retention Policy · page 4"


def test_the_entry_that_is_open_stands_in_the_address_by_its_id_alone_and_is_read_once(
    base_url: str, state: Standin
) -> None:
    def readings() -> int:
        return sum(path == "/api/log/queries/q-2" for _, path, _ in state.requests)

    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    at.button(key="entry-q-2").click().run()
    assert at.query_params == {"entry": "q-2"}
    at.run()
    assert ("Leaf hash" in shown(at), readings()) == (True, 1)
    del at.query_params["entry"]  # closed, or left by the browser's way back
    assert "Leaf hash" not in shown(at.run())
    at.query_params["entry"] = "q-2"
    assert ("Leaf hash" in shown(at.run()), readings()) == (True, 2)
    assert at.session_state["log-tab"] == "Questions"


def test_the_address_of_an_entry_opens_it_to_nobody_who_gave_no_reason(base_url: str, state: Standin) -> None:
    state.opening = OpeningOut(reason="", until=None)
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.query_params["entry"] = "q-2"
    at.run()
    assert ("Why do you read the log?" in shown(at), "Leaf hash" in shown(at)) == (True, False)
    assert not any(path.startswith("/api/log/queries") for _, path, _ in state.requests)
    state.opening = Standin().opening
    assert "Leaf hash" in shown(at.run())  # once there is one, the link leads where it was meant to


def test_under_another_reason_everything_is_read_anew(base_url: str, state: Standin) -> None:
    def readings() -> list[str]:
        return [path for _, path, _ in state.requests if path.startswith("/api/log/queries")]

    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.query_params["entry"] = "q-2"
    at.run()
    at.run()
    assert readings() == ["/api/log/queries", "/api/log/queries/q-2"]
    state.opening = OpeningOut(reason="", until=None)  # it ended
    assert "Leaf hash" not in shown(at.run())
    state.opening = Standin().opening
    assert "Leaf hash" in shown(at.run())
    assert readings() == ["/api/log/queries", "/api/log/queries/q-2"] * 2
    state.opening = OpeningOut(reason="Another complaint came", until=NOW)  # written down in another tab
    assert "Leaf hash" in shown(at.run())
    assert readings() == ["/api/log/queries", "/api/log/queries/q-2"] * 3


def test_what_is_shown_of_the_log_is_read_again_by_who_comes_back_to_it_from_another_page(
    base_url: str, state: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def readings(*paths: str) -> list[int]:
        return [sum(path == f"/api/{wanted}" for _, path, _ in state.requests) for wanted in paths]

    def at_page(path: str, **query: str) -> str:
        """What a page shows; the browser's history jumps to it, past what lies between."""
        at._page_hash = next(key for key, page in at._registered_pages.items() if page.get("url_pathname") == path)
        at.query_params.clear()
        at.query_params.update(query)
        return shown(at.run())

    monkeypatch.setenv("STRONGROOM_API_URL", base_url)
    monkeypatch.setattr(type(st.context), "cookies", {SESSION_COOKIE: "cora"})
    at = AppTest.from_file(APP, default_timeout=20).run()
    assert "Leaf hash" in at_page("compliance", entry="q-2")
    assert "Leaf hash" not in at_page("account")
    assert "Leaf hash" in at_page("compliance", entry="q-2")
    assert readings("log/queries", "log/queries/q-2") == [2, 2]
    for _ in range(2):  # drawn again it is not
        assert "Told by a clerk." in at_page("cases", case="case-1")
    assert readings("compliance/cases", "compliance/cases/case-1") == [1, 1]
    at_page("account")
    assert "Told by a clerk." in at_page("cases", case="case-1")
    assert readings("compliance/cases", "compliance/cases/case-1") == [2, 2]


@pytest.mark.parametrize("named", ["../people", "q-2/replay", "<b>none"])
def test_an_address_that_names_no_entry_opens_none(base_url: str, named: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.query_params["entry"] = named
    page = shown(at.run())
    assert ("Not found, or not yours to see." in page, "Leaf hash" in page) == (True, False)


def test_an_entry_shows_the_answer_as_its_reader_was_shown_it(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    at.button(key="entry-q-1").click().run()
    assert "<mark>" in shown(at)  # the sentence nearest to the question
    assert '<span class="sr-chip">1</span>' in shown(at)
    at.button(key="entry-q-0").click().run()
    assert '<mark class="sr-doubt">' in shown(at)  # a number that its passages do not have


def test_other_events_say_once_that_an_act_is_on_record_before_it_is_done(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["log-tab"] = "Other events"
    at.run()
    assert shown(at).count("An act is on record before it is done.") == 1


def test_an_entry_that_was_altered_is_shown_with_no_time_rather_than_with_a_wrong_one(
    base_url: str, state: Standin
) -> None:
    state.altered = True
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["log-tab"] = "Other events"
    assert "time not known" in shown(at.run())
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    assert "time not known" in shown(at.run())
    at.button(key="entry-q-2").click().run()
    assert "time not known" in shown(at)


def test_charts_say_what_is_left_out(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["log-tab"] = "Charts"
    at.run()
    assert "Nothing is counted per person" in shown(at)
    assert "left out, fewer than 5 people" in shown(at)
    assert "Records Retention Policy" in shown(at)
    assert "There was no time" not in shown(at)
    at.selectbox(key="charts-weeks").set_value(52).run()
    assert "There was no time to count more" in shown(at)


@pytest.mark.parametrize(
    ("asked", "why"),
    [(0, "Nothing was asked in these weeks."), (None, "In none of these weeks 5 people or more asked")],
)
def test_where_there_is_nothing_to_draw_it_is_said_what_will_be_and_from_when_on(
    base_url: str, state: Standin, asked: int | None, why: str
) -> None:
    state.desk.asked_every_week = asked
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["log-tab"] = "Charts"
    at.run()
    assert why in shown(at)
    next_monday = NOW.date() + timedelta(days=7 - NOW.weekday())
    assert f"of this week from {day(next_monday)} on" in shown(at)
    assert "sr-bars" not in shown(at)


def test_a_name_is_told_when_it_is_asked_for_and_not_before(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["log-tab"] = "People"
    at.run()
    assert "erin" not in shown(at)
    at.button(key="tell-n-1").click().run()
    assert "erin" in shown(at)
    at.text_input(key="naming-person").set_value("P-00000-00000")
    at.text_input(key="naming-reason").set_value("Complaint of a customer")
    next(button for button in at.button if button.label == "Put before a second officer").click().run()
    assert [asked.person for asked in state.desk.asked_for] == ["P-00000-00000"]


def test_the_log_tells_passages_in_the_prompt_from_passages_that_were_only_found(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20).run()
    assert "2 cited of 8 in the prompt" in shown(at)
    assert "2 cited of 12 found" in shown(at)  # quoted, without a model
    assert "2 handed over of 12 found" in shown(at)
    assert "handed to a program" in shown(at)
    at.button(key="entry-q-0").click().run()
    entry = shown(at)
    assert "Passages that it cites" in entry
    assert "In the prompt as" in entry
    assert "8f" * 32 in entry.split("Reranked by")[1].split("Answerable")[0]
    assert "0.169, enough from 0.170 on" in entry.split("Answerable")[1].split("</dd>")[0]
    first, second = entry.split("records-retention.pdf")[-1], entry.split("Litigation Hold Handbook")[-1]
    assert "[1]" in first.split("</tr>")[0]
    assert "none" in second.split("</tr>")[0]


def test_where_nothing_could_be_searched_again_a_passage_is_not_said_to_be_gone(
    base_url: str, state: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = state.replay("q-0")
    failed = made.model_copy(
        update={
            "notes": [NoteOut(finding=Finding.SEARCH_FAILED.value, words="Nothing could be searched.", prevents=False)],
            "passages": [it.model_copy(update={"rank_now": None}) for it in made.passages],
            "found_now": [],
        }
    )
    monkeypatch.setattr(state, "replay", lambda _: failed)
    at = AppTest.from_function(_run_replay, kwargs={"url": base_url}, default_timeout=20).run()
    at.button(key="replay-q-0").click().run()
    [same] = [folded for folded in at.expander if "Same guide" in shown(folded)]
    assert same.label == "2 passages as then"
    assert "Moved guide" in shown(same)
    assert "Erased guide" not in shown(same)
    assert "not as they were" in shown(at)
    assert shown(at).count("not searched") == 3
    assert "not found" not in shown(at)


def test_a_question_is_run_again_when_somebody_says_so(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_replay, kwargs={"url": base_url}, default_timeout=20).run()
    assert not state.requests
    at.button(key="replay-q-0").click().run()
    replayed = shown(at)
    assert "Another answer comes of it today." in replayed
    assert "no longer possible" in replayed
    assert "(3 words not shown)" in replayed
    assert "New words are not shown" in replayed
    assert replayed.index("not as they were") < replayed.index("Erased guide") < replayed.index("Moved guide")
    [same] = [folded for folded in at.expander if "Same guide" in shown(folded)]
    assert same.label == "1 passage as then, at the same rank"
    assert "Moved guide" not in shown(same)
    assert "c-new" in replayed
    assert "New handbook at rank 2" in replayed
    assert "c-named" not in replayed
    at.run()
    assert "Another answer comes of it today." in shown(at)  # drawn again it stays, and is not run again
    assert [path for _, path, _ in state.requests] == ["/api/log/queries/q-0/replay", "/api/log/openings/mine"]
    state.opening = OpeningOut(reason="", until=None)
    at.run()
    assert "Another answer comes of it today." not in shown(at)  # as when the role was withdrawn


def test_what_was_run_again_is_gone_when_an_entry_is_opened_which_may_be_erased_by_then(
    base_url: str, state: Standin
) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "cora"}, default_timeout=20)
    at.session_state["strongroom_replay"] = (state.replay("q-0"), NOW)
    at.run()
    at.query_params["entry"] = "q-0"  # by the browser's way back, or a link
    at.run()
    assert "Passages that it cites" in shown(at)
    assert "Another answer comes of it today." not in shown(at)
    at.button(key="replay-q-0").click().run()
    assert "Another answer comes of it today." in shown(at)
    at.query_params["entry"] = "q-2"  # straight to another one, and back
    at.run()
    at.query_params["entry"] = "q-0"
    assert "Another answer comes of it today." not in shown(at.run())


def test_the_document_that_is_open_stands_in_the_address_by_its_id_alone(base_url: str) -> None:
    def is_on_a_way() -> bool:
        return "Back to the document before" in [button.label for button in at.button]

    at = AppTest.from_function(_run_library, kwargs={"url": base_url}, default_timeout=20).run()
    at.button(key=f"open-{POLICY}").click().run()
    assert at.query_params == {"document": POLICY}
    assert ("SHA-256" in shown(at), is_on_a_way()) == (True, False)
    at.session_state["library-way"] = [POLICY, HANDBOOK]  # as one gets there
    assert ("SHA-256" in shown(at.run()), is_on_a_way()) == (True, True)
    del at.query_params["document"]  # closed, or left by the browser's way back
    assert "SHA-256" not in shown(at.run())
    at.query_params["document"] = POLICY
    assert ("SHA-256" in shown(at.run()), is_on_a_way()) == (True, False)


def test_a_document_that_was_withdrawn_meanwhile_is_refused_to_who_comes_back_to_its_address(
    base_url: str, state: Standin
) -> None:
    at = AppTest.from_function(_run_library, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["document"] = POLICY
    assert "SHA-256" in shown(at.run())
    del at.query_params["document"]
    at.run()
    state.gone.add(f"/api/documents/{POLICY}")
    at.query_params["document"] = POLICY
    page = shown(at.run())
    assert ("Not found, or not yours to see." in page, "SHA-256" in page) == (True, False)


@pytest.mark.parametrize("named", ["../people", "<b>none"])
def test_an_address_that_names_no_document_opens_none(base_url: str, named: str) -> None:
    at = AppTest.from_function(_run_library, kwargs={"url": base_url}, default_timeout=20)
    at.query_params["document"] = named
    page = shown(at.run())
    assert ("Not found, or not yours to see." in page, "SHA-256" in page) == (True, False)


def test_a_document_whose_passages_are_cut_says_how_many_there_are(base_url: str) -> None:
    at = AppTest.from_function(_run_library, kwargs={"url": base_url}, default_timeout=20).run()
    at.button(key=f"open-{HANDBOOK}").click().run()
    assert "the first 4 of 2,345 passages" in shown(at)
    at.button(key=f"open-{POLICY}").click().run()
    assert "Passages" in shown(at)
    assert "the first 4 of" not in shown(at)


def test_somebody_whom_their_directory_signed_out_is_told_apart(state: Standin, base_url: str) -> None:
    state.people[0] = state.people[0].model_copy(update={"directory": "oidc", "heard_at": NOW})
    state.people[1] = state.people[1].model_copy(update={"directory": "oidc"})
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "People"
    page = shown(at.run())
    assert page.count("From oidc, last heard of") == 1
    assert page.count("From oidc, which signed them out") == 1


def test_a_password_that_was_noted_is_gone_at_once(base_url: str) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "People"
    at.run()
    next(field for field in at.text_input if field.label == "Sign-in name").set_value("nina")
    next(button for button in at.button if button.label == "Add person").click().run()
    assert "maple-anchor-violet-seven" in shown(at)
    at.button(key="password-noted").click().run()
    assert "maple-anchor-violet-seven" not in shown(at)


def test_nobody_is_disabled_by_one_click(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "People"
    at.run()
    key = next(str(button.key) for button in at.button if str(button.key).startswith("disable-"))
    person_id = key.removeprefix("disable-")

    def is_disabled() -> bool:
        return next(person.disabled for person in state.people if person.id == person_id)

    at.button(key=key).click().run()
    assert not is_disabled()
    assert "is signed out at once, and cannot sign in any more." in shown(at)
    at.button(key=key).click()
    at.button(key=f"confirm-{key}").click().run()
    assert is_disabled()


def test_a_group_that_nothing_has_yet_is_named_when_somebody_is_put_into_it(base_url: str) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "People"
    at.run()
    next(field for field in at.text_input if field.label == "Sign-in name").set_value("nina")
    at.session_state["add-person-groups"] = ["claims", "clams"]
    next(button for button in at.button if button.label == "Add person").click().run()
    assert "No document, source or other person has this group yet: clams." in shown(at)


def test_an_administrator_asks_the_officers_for_an_account_of_theirs(base_url: str, state: Standin) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "People"
    at.run()
    assert "Agreed for cora until" in shown(at)
    next(button for button in at.button if button.label == "Ask a compliance officer").click().run()
    asked = ("POST", "/api/people/agreements")
    assert asked not in [(method, path) for method, path, _ in state.requests]  # without a name or a reason
    at.text_input(key="agreement-name").set_value("cleo")
    at.text_input(key="agreement-reason").set_value("A new password: she forgot hers.")
    next(button for button in at.button if button.label == "Ask a compliance officer").click().run()
    assert [(method, path) for method, path, _ in state.requests].count(asked) == 1


def test_a_directory_says_what_is_wrong_and_many_missing_are_confirmed_by_hand(base_url: str) -> None:
    at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
    at.session_state["admin-tab"] = "Directories"
    at.run()
    assert "names 30 of its 40 people no more" in shown(at)
    assert "40 people" in shown(at) and "2 gone" in shown(at) and "is left out" in shown(at)
    at.button(key="sync-corp").click().run()
    assert "names 30 of its 40 people no more" in shown(at)
    at.checkbox(key="missing-corp").check().run()
    at.button(key="sync-corp").click().run()
    assert "names 30 of its 40 people no more" not in shown(at)


def test_a_session_that_ended_is_said_with_the_way_back(base_url: str) -> None:
    at = AppTest.from_function(_run_log, kwargs={"url": base_url, "session": "nobody"}, default_timeout=20).run()
    assert "Your session ended" in shown(at)
    assert 'href="/login"' in shown(at)


def _run_broken_off() -> None:
    import streamlit as st

    from ui import pieces

    if st.button("Approve"):
        pieces.say_after_rerun("It is approved.")
        st.session_state["breaks"] = st.session_state["wanted"]
        st.rerun()
    with pieces.kept_until_drawn():
        pieces.say_what_was_kept()
        if st.session_state.get("breaks"):
            st.session_state["breaks"] -= 1
            pieces.say_after_rerun("It is synced.")
            st.rerun()


@pytest.mark.parametrize("breaks", [0, 1, 2])
def test_a_message_is_seen_once_by_a_run_that_comes_to_its_end(breaks: int) -> None:
    test = AppTest.from_function(_run_broken_off)
    test.session_state["wanted"] = breaks
    test.run().button[0].click().run()
    shown = [html.proto.body for html in test.get("html")]
    assert ["It is approved." in words for words in shown] == [True] + [False] * bool(breaks)
    assert ["It is synced." in words for words in shown] == [False] + [True] * bool(breaks)
    assert not test.run().get("html")
