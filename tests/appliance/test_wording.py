"""Every state and outcome has its words, in one order."""

from __future__ import annotations

from appliance import flags
from appliance.domain import AnswerKind, DocumentState
from appliance.flags import Flag
from appliance.wording import ANSWERS, STATES, counted, doing, outcomes, standing
from ingest.progress import Outcome


def test_every_state_has_words_without_the_signs_of_programs() -> None:
    assert STATES.keys() == set(DocumentState)
    assert not any("_" in words for words in STATES.values())
    assert counted(DocumentState.NEEDS_PASSWORD, 1) == "1 needs a password"
    assert counted(DocumentState.NEEDS_PASSWORD, 1_200) == "1,200 need a password"


def test_files_are_told_in_the_order_of_their_states_however_they_were_counted() -> None:
    states = {DocumentState.FAILED: 2, DocumentState.INDEXED: 4, DocumentState.GONE: 0}
    assert standing(states) == "4 indexed, 2 failed"


def test_every_kind_of_answer_and_every_flag_has_words() -> None:
    assert ANSWERS.keys() == set(AnswerKind)
    assert flags.WORDS.keys() == flags.MEANINGS.keys() == set(Flag)


def test_every_outcome_of_a_sync_is_told() -> None:
    told = outcomes({outcome.value: 1 for outcome in reversed(Outcome)})
    assert told.count(",") == len(Outcome) - 1
    assert "_" not in told
    assert outcomes({"failed": 2, "unchanged": 4}) == "4 unchanged, 2 failed"


def test_a_sync_names_the_file_it_has_at_hand_and_at_its_end_what_it_does_then() -> None:
    assert doing("a.pdf", 3, 5) == "a.pdf"
    assert doing("", 3, 5) == doing("", 0, None) == doing("", 0, 0) == ""
    assert doing("", 5, 5) == "Putting the index in order"
