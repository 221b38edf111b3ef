"""The story of a question: record -> retrieve -> answer -> cite -> record.

Rules this module keeps:

1. The question is on record before anything is searched, what was retrieved and asked of which model before the first
   word is shown, and the answer before it is called finished. What cannot be recorded is not answered.
2. An answer that ends early (an error, a reader who leaves) is closed on record too, with the reason.
3. A language model that fails costs the reader the prose, not the passages: they are quoted instead, with a notice.
4. Only passages the retriever returned for this reader can be cited.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from appliance.answering.abstention import documents_may_say
from appliance.answering.citations import MarkerGate
from appliance.answering.extract import extract
from appliance.answering.followup import standalone
from appliance.answering.prompt import NOT_IN_DOCUMENTS, TEMPLATE, Prompt, build_prompt
from appliance.audit.entries import (
    AnswerClosed,
    CitedPassage,
    Entry,
    GenerationParameters,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionReceived,
    RetrievedPassage,
)
from appliance.config import ModelSettings, RetrievalSettings
from appliance.domain import Answer, AnswerKind, Citation, Conversation, Hit, Principal, text_sha256
from appliance.errors import ApplianceError, ContextOverflow, ModelUnavailable
from appliance.inference.language import detect_language
from appliance.inference.port import Embedder, Generation, LanguageModel, ModelCard
from appliance.inference.token_bound import PROMPT_OVERHEAD_TOKENS
from appliance.inference.wire import whole_characters
from appliance.retrieval.retriever import Retriever

CANCELLED = "cancelled"
"""The error code on record for an answer whose reader left before its end."""

_NOT_SAID = {
    "de": "Die Dokumente, die Sie sehen dürfen, beantworten das nicht.",
    "fr": "Les documents que vous pouvez consulter ne répondent pas à cette question.",
    "it": "I documenti che può consultare non rispondono a questa domanda.",
    "es": "Los documentos que usted puede ver no responden a esta pregunta.",
}
_NOT_SAID_DEFAULT = "The documents you may see do not answer this."
_NO_CITATION = "This answer names no passage as its source. Check it against the passages before you rely on it."
_CUT_OFF = "The language model stopped before its answer was finished; what it had written is not shown."
_NOTHING = "The language model returned nothing, so the passages themselves are quoted."
_UNKNOWN_MARKER = "The language model pointed at passages that do not exist; those references were removed."
_OVERFLOW_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Started:
    """The question is on record. `searched_for` differs from the question when a follow-up had to be completed."""

    query_id: str
    conversation_id: str
    searched_for: str


@dataclass(frozen=True, slots=True)
class Found:
    """The passages an answer may cite, numbered."""

    passages: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of an answer. The text of `Answered` is what counts: it replaces all pieces."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer, on record."""

    query_id: str
    answer: Answer
    model: str


AnswerEvent = Started | Found | Token | Answered


class Record(Protocol):
    """What an answer is put on record in: the query log, for everything that is shown to anybody."""

    def append(self, entry: Entry) -> object:
        """Write an entry. Raises AuditUnavailable."""


@dataclass(slots=True)
class _Course:
    """What has happened to a question so far: the material of its records."""

    query_id: str
    question: str
    searched_for: str
    principal: Principal
    conversation: Conversation
    started: float
    hits: Sequence[Hit] = ()
    passages: tuple[Citation, ...] = ()
    card: ModelCard | None = None
    shown: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    retrieved: bool = False
    retrieval_ms: float = 0.0
    first_token_ms: float | None = None

    def elapsed_ms(self) -> float:
        return round((time.monotonic() - self.started) * 1000, 1)


class Answerer:
    """Answers questions from the passages a reader may see.

    `model` is None for extractive answers only. `model_expected` says whether a missing model is worth a notice.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        log: Record,
        embedder: Embedder,
        model: LanguageModel | None,
        model_expected: bool,
        model_settings: ModelSettings,
        settings: RetrievalSettings,
    ) -> None:
        self._retriever = retriever
        self._log = log
        self._embedder = embedder
        self._model = model
        self._model_expected = model_expected
        self._model_settings = model_settings
        self._settings = settings
        self._open: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a question is being answered now."""
        return bool(self._open)

    def may_answer(self, question: str, hits: Sequence[Hit]) -> bool:
        """Whether the hits for a question are worth an answer, or the documents do not say."""
        return documents_may_say(question, hits, min_similarity=self._settings.min_similarity)

    def ask(
        self, question: str, principal: Principal, conversation: Conversation, *, origin: str
    ) -> Generator[AnswerEvent, None, None]:
        """Answer `question` as the next turn of `conversation`; `origin` says through which door it came.

        Yields Started, Found, any number of Token, and at last Answered.

        Raises:
            AuditUnavailable: The log cannot be written; nothing (more) is answered.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: Nothing could be retrieved.
            InvalidRequest: The question is longer than the model's context window allows.
        """
        course = _Course(
            query_id=str(uuid.uuid4()),
            question=question,
            searched_for=standalone(question, conversation.turns),
            principal=principal,
            conversation=conversation,
            started=time.monotonic(),
        )
        self._log.append(_received(course, origin))  # no record, no answer
        self._open.add(course.query_id)
        try:
            yield Started(course.query_id, conversation.id, course.searched_for)
            answer = yield from self._answer(course)
        except ApplianceError as error:
            self._log.append(_closed(course, _unanswered(course), error=error.code))
            raise
        except GeneratorExit:
            self._log.append(_closed(course, _unanswered(course), error=CANCELLED))
            raise
        except Exception:  # the edge of a question: whatever it was, the record says that there was no answer
            self._log.append(_closed(course, _unanswered(course), error=ApplianceError.code))
            raise
        finally:
            self._open.discard(course.query_id)
        self._log.append(_closed(course, answer))
        yield Answered(course.query_id, answer, course.card.name if course.card else "")

    def _answer(self, course: _Course) -> Generator[AnswerEvent, None, Answer]:
        course.hits = self._retriever.retrieve(course.searched_for, course.principal.access)
        course.retrieval_ms = course.elapsed_ms()
        if not self.may_answer(course.searched_for, course.hits):
            return self._abstain(course)
        if self._model is not None:
            try:
                return (yield from self._generate(course, self._model))
            except ModelUnavailable as error:
                self._note_failure(course, error)
        return (yield from self._quote(course))

    def _generate(self, course: _Course, model: LanguageModel) -> Generator[AnswerEvent, None, Answer]:
        course.card = model.card()
        window = min(self._model_settings.context_tokens, course.card.context_tokens)
        answer_tokens = min(self._model_settings.max_answer_tokens, window // 2)
        generation = Generation(
            context_tokens=window,
            max_tokens=answer_tokens,
            temperature=self._model_settings.temperature,
            seed=self._model_settings.seed,
        )
        budget = window - answer_tokens - PROMPT_OVERHEAD_TOKENS
        for attempt in range(_OVERFLOW_RETRIES + 1):
            prompt = build_prompt(
                course.question,
                course.hits,
                course.conversation.turns,
                budget_tokens=budget,
                max_passages=max(1, self._settings.passages >> attempt),
                count_tokens=model.count_tokens,
            )
            try:
                return (yield from self._stream(course, model, prompt, generation))
            except ContextOverflow:
                if course.shown or attempt == _OVERFLOW_RETRIES:
                    raise
        raise ContextOverflow("The prompt does not fit the language model. Raise model.context_tokens.")

    def _stream(
        self, course: _Course, model: LanguageModel, prompt: Prompt, generation: Generation
    ) -> Generator[AnswerEvent, None, Answer]:
        yield from self._found(course, prompt.passages, prompt, generation)
        gate = MarkerGate(prompt.passages)
        opening = _Opening()
        pieces = model.stream(prompt.messages, generation)
        try:
            for piece in whole_characters(pieces):
                text = gate.feed(opening.feed(piece))
                if text:
                    yield self._shown(course, text)
                if opening.says_no:
                    return self._abstain(course)
            text = gate.feed(opening.finish()) + gate.finish()
            if text:
                yield self._shown(course, text)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()  # stops the generation when the reader has left
        shown = "".join(course.shown).strip()
        if not shown:
            raise ModelUnavailable(_NOTHING)
        if gate.unknown_markers:
            course.notices.append(_UNKNOWN_MARKER)
        if not gate.citations:
            course.notices.append(_NO_CITATION)
        return Answer(shown, AnswerKind.GENERATED, gate.citations, tuple(course.notices), gate.unknown_markers)

    def _quote(self, course: _Course) -> Generator[AnswerEvent, None, Answer]:
        """The passages themselves, when there is no model to write."""
        passages = course.passages or _numbered(course.hits[: self._settings.passages])
        if not course.retrieved:
            yield from self._found(course, passages, None, None)
        text = extract(course.searched_for, passages, self._embedder)
        gate = MarkerGate(passages)
        shown = gate.feed(text) + gate.finish()
        yield self._shown(course, shown)
        return Answer(shown, AnswerKind.EXTRACTIVE, gate.citations, tuple(course.notices))

    def _abstain(self, course: _Course) -> Answer:
        text = _NOT_SAID.get(detect_language(course.question), _NOT_SAID_DEFAULT)
        if not course.retrieved:
            self._log.append(_retrieved(course, None, None))
            course.retrieved = True
        return Answer(text, AnswerKind.ABSTAINED, (), tuple(course.notices))

    def _found(
        self, course: _Course, passages: tuple[Citation, ...], prompt: Prompt | None, generation: Generation | None
    ) -> Iterator[AnswerEvent]:
        course.passages = passages
        self._log.append(_retrieved(course, prompt, generation))  # before the first word is shown
        course.retrieved = True
        yield Found(passages)

    def _shown(self, course: _Course, text: str) -> Token:
        if course.first_token_ms is None:
            course.first_token_ms = course.elapsed_ms()
        course.shown.append(text)
        return Token(text)

    def _note_failure(self, course: _Course, error: ModelUnavailable) -> None:
        if course.shown:
            course.notices.append(_CUT_OFF)
        if self._model_expected or course.card is not None:
            course.notices.append(f"{error} The passages themselves are quoted instead.")
        course.card = None


class _Opening:
    """Holds back the beginning of an answer while it may still be the words that mean "not in the documents"."""

    def __init__(self) -> None:
        self._held = ""
        self._decided = False
        self.says_no = False

    def feed(self, piece: str) -> str:
        if self._decided:
            return piece
        self._held += piece
        begun = self._held.lstrip(" \n\t\"'*`.")
        if begun.startswith(NOT_IN_DOCUMENTS):
            self._decided = self.says_no = True
            return ""
        if NOT_IN_DOCUMENTS.startswith(begun):
            return ""
        return self.finish()

    def finish(self) -> str:
        self._decided = True
        text, self._held = self._held, ""
        return "" if self.says_no else text


def _numbered(hits: Sequence[Hit]) -> tuple[Citation, ...]:
    return tuple(Citation(number, hit) for number, hit in enumerate(hits, start=1))


def _unanswered(course: _Course) -> Answer:
    """What was on the reader's screen when the answer ended early."""
    return Answer("".join(course.shown), AnswerKind.GENERATED, (), tuple(course.notices))


def _received(course: _Course, origin: str) -> QuestionReceived:
    return QuestionReceived(
        query_id=course.query_id,
        actor=course.principal.id,
        actor_name=course.principal.name,
        groups=tuple(sorted(course.principal.access.groups)),
        conversation_id=course.conversation.id,
        question=course.question,
        origin=origin,
    )


def _retrieved(course: _Course, prompt: Prompt | None, generation: Generation | None) -> PassagesRetrieved:
    card = course.card
    return PassagesRetrieved(
        query_id=course.query_id,
        actor=course.principal.id,
        searched_for=course.searched_for,
        retrieved=tuple(_passage(hit, course.passages) for hit in course.hits),
        model=ModelUsed(card.provider, card.name, card.digest, card.quantisation, card.context_tokens)
        if card
        else ModelUsed(),
        prompt_sha256=prompt.sha256 if prompt else "",
        prompt_template=TEMPLATE if prompt else "",
        parameters=GenerationParameters(
            generation.temperature, generation.seed, generation.max_tokens, generation.context_tokens
        )
        if generation
        else None,
    )


def _passage(hit: Hit, passages: Sequence[Citation]) -> RetrievedPassage:
    number = next((citation.number for citation in passages if citation.hit.chunk.id == hit.chunk.id), None)
    return RetrievedPassage(
        chunk_id=hit.chunk.id,
        document_id=hit.chunk.document_id,
        version_id=hit.chunk.version_id,
        version_sha256=hit.version_sha256,
        path=hit.path,
        title=hit.title,
        page=hit.chunk.place.page,
        rank=hit.rank,
        score=hit.score,
        similarity=hit.similarity,
        number=number,
    )


def _closed(course: _Course, answer: Answer, *, error: str = "") -> AnswerClosed:
    return AnswerClosed(
        query_id=course.query_id,
        actor=course.principal.id,
        answer=answer.text,
        answer_sha256=text_sha256(answer.text),
        kind=answer.kind.value,
        citations=tuple(CitedPassage(citation.number, citation.hit.chunk.id) for citation in answer.citations),
        notices=answer.notices,
        unknown_markers=answer.unknown_markers,
        latency=Latency(course.retrieval_ms, course.first_token_ms, course.elapsed_ms()),
        error=error,
        withdrawn="".join(course.shown) if "".join(course.shown).strip() != answer.text else "",
    )
