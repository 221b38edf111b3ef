"""What people write is neither cut nor lost: a text that is too long is refused in words and stays where it is."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import ui
from tests.ui.api_standin import Standin
from tests.ui.test_pages import shown

pytestmark = pytest.mark.integration


def _protection(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import data_protection

    with pieces.problems_shown():
        data_protection.page(Client(url, "cora"))


def _people(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import log_people

    with pieces.problems_shown():
        log_people._ask(Client(url, "cora"))


def _opening(url: str) -> None:
    from ui import log_opening, pieces
    from ui.client import Client

    with pieces.problems_shown():
        log_opening._ask(Client(url, "cora"))


def _asking_access(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import asking_access

    with pieces.problems_shown():
        asking_access.show(Client(url, "erin"))


def _export(url: str) -> None:
    from ui import pieces, taking_out
    from ui.client import Client

    with pieces.problems_shown():
        taking_out._ask(Client(url, "cora"), "here")


PLACES: dict[str, tuple[Callable[[str], None], str, str, int]] = {
    "hold": (_protection, "hold-reason", "Place the hold", 1000),
    "erasure": (_protection, "erase-reason", "Propose", 1000),
    "a second officer's note": (_protection, "note-p1", "Approve", 1000),
    "a name": (_people, "naming-reason", "Put before a second officer", 500),
    "the log": (_opening, "log-reason", "Open the log", 500),
    "an export": (_export, "export-reason-here", "Put before a second officer ", 500),
    "access": (_asking_access, "ask-access-reason", "Send request", 1000),
}


@pytest.mark.parametrize("place", PLACES)
def test_words_that_are_too_long_are_refused_with_the_limit_and_stay_in_their_field(
    state: Standin, base_url: str, place: str
) -> None:
    run, key, button, most = PLACES[place]
    words = "z" * (most + 1)
    at = AppTest.from_function(run, kwargs={"url": base_url}, default_timeout=20).run()
    for field in (*at.text_input, *at.text_area):
        if field.key in ("erase-person", "naming-person"):
            field.set_value("erin")
    field = next(field for field in (*at.text_input, *at.text_area) if field.key == key)
    assert field.max_chars in (None, 0)
    field.set_value(words)
    next(one for one in at.button if one.label == button).click().run()
    assert f"may have at most {most:,} characters." in shown(at)
    assert next(field for field in (*at.text_input, *at.text_area) if field.key == key).value == words
    assert not [method for method, _, _ in state.requests if method == "POST"]


def test_what_was_accepted_leaves_its_field(state: Standin, base_url: str) -> None:
    at = AppTest.from_function(_protection, kwargs={"url": base_url}, default_timeout=20).run()
    at.text_input(key="hold-since").set_value("2026-03")
    at.text_input(key="hold-reason").set_value("A case is open.")
    next(button for button in at.button if button.label == "Place the hold").click().run()
    assert at.text_input(key="hold-since").value == at.text_input(key="hold-reason").value == ""
    assert [path for method, path, _ in state.requests if method == "POST"] == ["/api/compliance/holds"]


def test_no_field_has_a_limit_at_which_streamlit_drops_what_is_pasted() -> None:
    calls = [
        (path.name, node.lineno)
        for path in Path(ui.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and any(given.arg == "max_chars" for given in node.keywords)
    ]
    assert calls == []


def _folder(url: str) -> None:
    from ui.screens import source_form

    source_form.add_folder_form([], ["internal"])
    source_form.add_uploads_form([])


def _questions(url: str) -> None:
    from ui.client import Client
    from ui.screens import log_questions

    log_questions.show(Client(url, "cora"))


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (_folder, {"Found out by itself"}),
        (_questions, {'All of them, in any order; "a phrase" as it stands'}),
        (_opening, set()),
        (_asking_access, set()),
    ],
)
def test_an_example_in_an_empty_field_cannot_pass_for_what_was_written(
    base_url: str, run: Callable[[str], None], told: set[str]
) -> None:
    at = AppTest.from_function(run, kwargs={"url": base_url}, default_timeout=20).run()
    assert not at.exception
    stands = {field.placeholder for field in (*at.text_input, *at.text_area)} - {""}
    assert {words for words in stands if not words.startswith("For example: ")} == told
