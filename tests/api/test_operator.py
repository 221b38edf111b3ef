"""The command line's way to the appliance: what it asks for arrives as it was meant."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.gate import GROUPS_HEADER, groups_header
from appliance.api.schemas.asking import AnswerOut, TokenOut
from appliance.config import ModelSettings, Provider, Settings
from appliance.operator import Operator, RemoteProblem, connected
from appliance.wiring import Appliance
from tests.api.conftest import Client

BOARD = "Geschäftsleitung Zürich"
QUESTION = "What does the new press cost?"


@given(st.lists(st.text(min_size=1)))
def test_any_group_name_survives_a_header(groups: list[str]) -> None:
    value = groups_header(groups)
    assert value.isascii()
    assert value.isprintable()
    assert [unquote(part) for part in value.split(",") if part] == groups


@pytest.mark.integration
def test_the_operator_reads_as_a_group_whose_name_is_no_plain_word(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "press.md").write_text("# Press\n\nThe new press costs 81,000 CHF.\n", "utf-8")
    settings = Settings(data_dir=tmp_path / "data", model=ModelSettings(provider=Provider.NONE))
    with connected(settings) as operator:
        source = operator.add_source("Board", str(documents), [BOARD])
        assert [run.message for run in operator.sync(source.id)][-1] == ""
    for groups, found in (([BOARD], True), (["other", BOARD], True), (BOARD.split(" "), False), ([], False)):
        with connected(settings, groups) as operator:
            assert ("81,000" in answer(operator).text) == found, groups


def test_a_line_separator_in_an_answer_does_not_end_its_event() -> None:
    token = TokenOut(text="a\u2028b\u0085c\u2029d")
    sent = f"event: token\ndata: {token.model_dump_json()}\n\nevent: later\ndata: {{}}\n\n"
    assert "\u2028" in sent
    assert list(_answered_with(sent, []).ask(QUESTION)) == [token]


def test_a_problem_amid_an_answer_is_raised() -> None:
    with pytest.raises(RemoteProblem, match="It is gone") as raised:
        list(_answered_with('event: error\ndata: {"code": "gone", "message": "It is gone."}\n\n', []).ask(QUESTION))
    assert raised.value.code == "gone"


def test_an_identifier_stays_one_segment_of_a_path() -> None:
    requests: list[httpx.Request] = []
    _answered_with("", requests).cancel_evaluation("../../people?x=1")
    assert [request.url.raw_path for request in requests] == [
        b"/api/evaluations/%2E%2E%2F%2E%2E%2Fpeople%3Fx%3D1/cancel"
    ]


def _answered_with(content: str, requests: list[httpx.Request]) -> Operator:
    """An operator to whom every request is answered with this; `requests` grows with what was asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(httpx.codes.OK, content=content.encode())

    return Operator(httpx.Client(base_url="http://appliance", transport=httpx.MockTransport(answer)))


@pytest.mark.integration
def test_plain_group_names_are_read_as_before(appliance: Appliance, client: Client) -> None:
    headers = {"Authorization": f"Bearer {appliance.operator_token}", GROUPS_HEADER: "finance, hr"}
    titles = {item["path"] for item in client("").get("/api/documents", headers=headers).json()["documents"]}
    assert "hr/salaries.md" in titles


def answer(operator: Operator) -> AnswerOut:
    return next(event for event in operator.ask(QUESTION) if isinstance(event, AnswerOut))
