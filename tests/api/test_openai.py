"""The OpenAI-compatible door, used by the real `openai` client over the real routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest

from appliance.answering.followup import REMEMBERED_TURNS
from appliance.wiring import Appliance
from tests.api.conftest import BASE, Client


@pytest.fixture
def door(client: Client, appliance: Appliance) -> openai.OpenAI:
    """A client with an API token of the employee."""
    [person] = [item for item in appliance.accounts.people() if item.name == "employee"]
    token = appliance.sessions.issue_token(person.id, "test", timedelta(days=1))
    return openai.OpenAI(base_url=f"{BASE}/v1", api_key=token, http_client=client(""), max_retries=0)


def test_a_completion_answers_from_the_documents_and_is_on_record(door: openai.OpenAI, appliance: Appliance) -> None:
    completion = door.chat.completions.create(
        model="strongroom", messages=[{"role": "user", "content": "What may a hotel in Zurich cost?"}]
    )
    text = completion.choices[0].message.content or ""
    assert "240 CHF" in text
    assert "Sources:" in text
    extra = completion.model_extra or {}
    record = appliance.log.query(extra["strongroom"]["query_id"])
    assert record.question is not None
    assert record.question.origin == "openai-api"
    assert extra["strongroom"]["citations"][0]["path"] == "travel.md"


def test_a_stream_gives_the_same_text_as_a_completion(door: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "How long are invoices kept?"}]
    whole = door.chat.completions.create(model="strongroom", messages=messages).choices[0].message.content  # type: ignore[arg-type]
    pieces = door.chat.completions.create(model="strongroom", messages=messages, stream=True)  # type: ignore[arg-type]
    chunks = list(pieces)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[-1].choices[0].finish_reason == "stop"


def searched_for(door: openai.OpenAI, appliance: Appliance, messages: list[Any]) -> str:
    completion = door.chat.completions.create(model="strongroom", messages=messages)
    record = appliance.log.query((completion.model_extra or {})["strongroom"]["query_id"])
    assert record.retrieval is not None
    return record.retrieval.searched_for


def test_earlier_messages_are_the_conversation(door: openai.OpenAI, appliance: Appliance) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How long are invoices kept?"},
        {"role": "assistant", "content": "Ten years."},
        {"role": "user", "content": [{"type": "text", "text": "And applications?"}]},
    ]
    assert searched_for(door, appliance, messages) == "How long are invoices kept? And applications?"


def test_thanks_do_not_crowd_out_what_was_asked(door: openai.OpenAI, appliance: Appliance) -> None:
    thanks = [{"role": "user", "content": "Thank you!"}, {"role": "assistant", "content": "Glad to help."}]
    messages = [
        {"role": "user", "content": "How long are invoices kept?"},
        {"role": "assistant", "content": "Ten years."},
        *(thanks * REMEMBERED_TURNS),
        {"role": "user", "content": "And applications?"},
    ]
    assert searched_for(door, appliance, messages) == "How long are invoices kept? And applications?"


def test_what_the_token_may_not_see_stays_unseen(door: openai.OpenAI) -> None:
    completion = door.chat.completions.create(
        model="strongroom", messages=[{"role": "user", "content": "What does a senior engineer earn?"}]
    )
    assert "118,000" not in completion.model_dump_json()


def test_the_models_are_listed(door: openai.OpenAI) -> None:
    assert [model.id for model in door.models.list()] == ["strongroom"]


def test_a_conversation_that_does_not_end_with_a_question_is_refused(door: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        door.chat.completions.create(model="strongroom", messages=[{"role": "assistant", "content": "Hello"}])
    assert "last message" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("long " * 10_000, "'messages.content.text (number 2)' may have at most 20,000 characters"),
        (7, "'messages.content.text (number 2)' must be a text"),
        ([{"type": "image_url"}], "'messages.content.parts.type (number 1)' must be 'text'"),
    ],
)
def test_a_message_that_does_not_fit_is_told_in_plain_words(door: openai.OpenAI, content: Any, said: str) -> None:
    messages: Any = [{"role": "user", "content": "Why?"}, {"role": "user", "content": content}]
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        door.chat.completions.create(model="strongroom", messages=messages)
    assert said in caught.value.response.json()["message"]
    assert "constrained" not in caught.value.response.text


def test_a_cookie_is_no_token_and_a_token_no_cookie(client: Client, appliance: Appliance) -> None:
    [person] = [item for item in appliance.accounts.people() if item.name == "employee"]
    token = appliance.sessions.issue_token(person.id, "test", timedelta(days=1))
    cookie = appliance.sessions.sign_in("employee", "copper lantern under nine stairs", "127.0.0.1").token
    as_cookie = client("")
    as_cookie.cookies.set("strongroom_session", token)
    assert as_cookie.get("/v1/models").status_code == 401
    assert client("").get("/v1/models", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
    answer: httpx.Response = client("").get("/v1/models", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("after", [[], [{"role": "assistant", "content": "Ten."}, {"role": "user", "content": "Why?"}]])
def test_a_message_in_many_parts_has_the_same_limit(
    client: Client, appliance: Appliance, after: list[dict[str, str]]
) -> None:
    [person] = [item for item in appliance.accounts.people() if item.name == "employee"]
    token = appliance.sessions.issue_token(person.id, "test", timedelta(days=1))
    parts = [{"type": "text", "text": "long " * 1000}] * 10
    response = client("").post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": parts}, *after]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert response.status_code == 422
