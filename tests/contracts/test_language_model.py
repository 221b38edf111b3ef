"""What every language model keeps (`appliance/inference/port.py`), held against each implementation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.llamacpp import LlamaCppModel
from appliance.inference.ollama import OllamaModel
from appliance.inference.openai_compatible import OpenAICompatibleModel
from appliance.inference.port import Generation, LanguageModel, Message, MessageRole
from tests.appliance.inference.misbehaving_server import unused_url
from tests.appliance.inference.ollama_server import MODEL, ollama_server
from tests.data.tiny_gguf import byte_level_fields, make_tiny_gguf, serve_over_http

pytestmark = pytest.mark.integration

WINDOW = 1024
GENERATION = Generation(context_tokens=WINDOW, max_tokens=32)
QUESTION = (
    Message(MessageRole.SYSTEM, "Answer from the passages."),
    Message(MessageRole.USER, "How long are records kept?"),
    Message(MessageRole.ASSISTANT, "Ten years."),
    Message(MessageRole.USER, "From when on?"),
)
TEXTS = (
    "",
    "x",
    "Ten years.",
    "Zehn Jahre für Prüfberichte",
    "价格 12,345.67 €",
    "a\n\n\tb",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍🔬",
    "\udc80 lone",
    "nul \0",
)


@dataclass(frozen=True)
class Case:
    """A model that works, and one that has nothing behind it."""

    model: LanguageModel
    absent: LanguageModel


@pytest.fixture(scope="module", params=["llamacpp", "openai", "ollama"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("model")
    with ExitStack() as stack:
        made = _make(str(request.param), folder, stack)
        yield made
        made.model.close()
        made.absent.close()


def _make(kind: str, folder: Path, stack: ExitStack) -> Case:
    if kind == "ollama":
        words = ["Ten", " years", " from", " the", " signature", "."]
        server = stack.enter_context(ollama_server(words=words, tokenizer=byte_level_fields()))
        return Case(_ollama(server.url), _ollama(unused_url()))
    gguf = make_tiny_gguf(folder / "tiny.gguf")
    if kind == "llamacpp":
        missing = folder / "missing.gguf"
        return Case(
            LlamaCppModel(gguf, context_tokens=WINDOW, threads=1),
            LlamaCppModel(missing, context_tokens=WINDOW, threads=1),
        )
    base_url = stack.enter_context(serve_over_http(gguf, context_tokens=WINDOW))
    return Case(
        OpenAICompatibleModel(base_url, "", "", context_tokens=WINDOW),
        OpenAICompatibleModel(unused_url(), "", "", context_tokens=WINDOW),
    )


def _ollama(host: str) -> OllamaModel:
    return OllamaModel(host, MODEL, context_tokens=WINDOW, connect_timeout_s=2, token_timeout_s=5)


def test_an_answer_comes_in_pieces_that_are_text(case: Case) -> None:
    pieces = list(case.model.stream(QUESTION, GENERATION))
    assert len(pieces) > 1
    assert all(pieces)


def test_the_same_question_gets_the_same_answer(case: Case) -> None:
    first = "".join(case.model.stream(QUESTION, GENERATION))
    assert first == "".join(case.model.stream(QUESTION, GENERATION))


def test_the_card_is_complete_and_its_window_is_not_more_than_was_asked_for(case: Case) -> None:
    card = case.model.card()
    assert card.provider and card.name
    assert 0 < card.context_tokens <= WINDOW
    assert card == case.model.card()


def test_tokens_are_counted_without_a_negative_or_a_shrinking_count(case: Case) -> None:
    for text in TEXTS:
        assert case.model.count_tokens(text) >= (1 if text else 0)
        assert case.model.count_tokens(text * 3) >= case.model.count_tokens(text)


@pytest.mark.parametrize("length", [WINDOW, 100 * WINDOW])
def test_a_prompt_that_does_not_fit_is_refused_and_nothing_is_answered(case: Case, length: int) -> None:
    message = Message(MessageRole.USER, "7 " * length)
    with pytest.raises(ContextOverflow):
        next(case.model.stream((message,), GENERATION))


def test_the_answers_part_of_the_window_is_kept_free(case: Case) -> None:
    greedy = Generation(context_tokens=WINDOW, max_tokens=WINDOW)
    with pytest.raises(ContextOverflow):
        next(case.model.stream(QUESTION, greedy))


def test_a_smaller_window_for_one_answer_is_respected(case: Case) -> None:
    with pytest.raises(ContextOverflow):
        next(case.model.stream(QUESTION, Generation(context_tokens=40, max_tokens=32)))


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_may_be_part_of_a_prompt(case: Case, text: str) -> None:
    assert list(case.model.stream((Message(MessageRole.USER, f"How long? {text}"),), GENERATION))


def test_a_closed_iterator_yields_nothing_more_and_the_model_goes_on(case: Case) -> None:
    pieces = case.model.stream(QUESTION, GENERATION)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert list(pieces) == []
    assert list(case.model.stream(QUESTION, GENERATION))


def test_an_overflow_does_no_harm_to_the_next_answer(case: Case) -> None:
    expected = "".join(case.model.stream(QUESTION, GENERATION))
    with pytest.raises(ContextOverflow):
        next(case.model.stream((Message(MessageRole.USER, "7 " * WINDOW),), GENERATION))
    assert "".join(case.model.stream(QUESTION, GENERATION)) == expected


def test_a_model_that_is_not_there_is_unavailable_when_used_and_not_before(case: Case) -> None:
    pieces = case.absent.stream(QUESTION, GENERATION)
    with pytest.raises(ModelUnavailable):
        next(pieces)
    with pytest.raises(ModelUnavailable):
        case.absent.card()


def test_closing_twice_is_no_error(case: Case) -> None:
    case.absent.close()
    case.absent.close()
