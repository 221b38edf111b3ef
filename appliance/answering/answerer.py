"""The story of a question: record -> complete -> retrieve -> answer -> cite -> check -> record.

Rules this module keeps:

1. The question is on record before anything is searched, what a model made of it before that is shown, what was
   retrieved and asked of which model before the first word is, and the answer before it is called finished. What cannot
   be recorded is not answered.
2. An answer that ends early (an error, a reader who leaves) is closed on record too, with the reason.
3. A language model that fails costs the reader the prose, not the passages: they are quoted instead, with a notice, and
   without a mark where they hold nothing that the question names, which the model might have known by another name. A
   model that goes round in circles, or does not come to an end in its time, has failed.
4. Only passages the retriever returned for this reader can be cited.
5. What a model wrote is held against the passages it cites before it is called finished.
6. Whether the reader may still see what the answer draws on is looked at again while it is written, and once more
   before it is called finished. Who was shut out meanwhile gets the rest of it no more, nor is it stored.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from appliance.answering import named, notices
from appliance.answering.besides import Besides, besides
from appliance.answering.citations import MarkerGate
from appliance.answering.course import (
    Course,
    Standing,
    closed,
    completed,
    drew_on,
    numbered,
    received,
    retrieved,
    unanswered,
)
from appliance.answering.courtesies import reply_to
from appliance.answering.enough import Searched, searched
from appliance.answering.extract import Quotation, for_others, is_quotable, laid_out, quotations
from appliance.answering.flagging import raised
from appliance.answering.followup import is_follow_up, standalone
from appliance.answering.grounding import grounding
from appliance.answering.instructions import instructions
from appliance.answering.prompt import Prompt, build_prompt
from appliance.answering.rewriting import rewrite, rewriting_generation
from appliance.answering.sentences import has_words
from appliance.answering.writing import Writing
from appliance.audit.entries import Entry, SearchState
from appliance.config import ModelSettings, RetrievalSettings
from appliance.domain import AccessFilter, Answer, AnswerKind, Citation, Conversation, Hit, Principal
from appliance.errors import AccessDenied, ContextOverflow, ModelUnavailable, code_of
from appliance.inference.language import detect_language
from appliance.inference.port import Embedder, Generation, LanguageModel
from appliance.inference.token_bound import PROMPT_OVERHEAD_TOKENS
from appliance.retrieval.retriever import Retriever
from appliance.retrieval.superseded import packed

CANCELLED = "cancelled"
"""The error code on record for an answer whose reader left before its end."""

_OVERFLOW_RETRIES = 2
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Started:
    """The question is on record. `searched_for` is searched first; it differs where a follow-up had to be completed."""

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
    """The answer, on record. `completed` is what it was found for in place of the question; empty if that is the same.

    `drew_on` are the chunks (ids) that were before the one who wrote it, cited or not, by way of earlier answers too.
    """

    query_id: str
    answer: Answer
    model: str
    completed: str = ""
    drew_on: tuple[str, ...] = ()


AnswerEvent = Started | Found | Token | Answered


class Record(Protocol):
    """What an answer is put on record in: the query log, for everything that is shown to anybody."""

    def append(self, entry: Entry) -> object:
        """Write an entry. Raises AuditUnavailable."""


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
        state: Callable[[], SearchState | None] = lambda: None,
        alarm: Callable[[str], None] = lambda _: None,
        writes_no_more: threading.Event | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            state: What a search depends on now, for the record.
            alarm: Told when something was kept from a reader at the last moment.
            writes_no_more: Once it is set, the language model is stopped in the answers that are being written and in
                those to come: passages are quoted.
        """
        self._state = state
        self._alarm = alarm
        self._retriever = retriever
        self._log = log
        self._embedder = embedder
        self._model = model
        self._model_expected = model_expected
        self._model_settings = model_settings
        self._settings = settings
        self._open: dict[str, str] = {}  # who asked, by query
        self._writes_no_more = writes_no_more or threading.Event()

    @property
    def is_busy(self) -> bool:
        """Whether a question is being answered now."""
        return bool(self._open)

    def is_answering(self, person_id: str) -> bool:
        """Whether a question of that person is being answered now: what comes of it is yet to go on record."""
        return person_id in list(self._open.values())

    def judge(self, question: str, hits: Sequence[Hit], access: AccessFilter) -> Searched:
        """What a question by itself would be answered from, after a search that found `hits`.

        Raises IndexUnavailable, CatalogUnavailable or ModelUnavailable if it has to be searched again and cannot be.
        """
        return self._judge(question, hits, lambda text: self._retriever.retrieve(text, access))

    def may_answer(self, found: Searched) -> bool:
        """Whether what was found for a question by itself is worth an answer, or the documents do not say.

        A language model, where there is one, may say so yet.
        """
        if not has_words(found.searched_for) or not found.is_enough:
            return False
        passages = numbered(packed(found.hits, self._settings.passages))
        return is_quotable(found.searched_for, "", passages) or self._is_a_model_there()

    def quoted(self, question: str, reader: Principal, found: Searched) -> Answer:
        """What a question by itself is answered where no model writes, from what is worth an answer (`may_answer`).

        For an evaluation: the question is not put on record, only what is quoted.

        Raises:
            ModelUnavailable: The embedding model cannot be used.
        """
        nowhere = Conversation(str(uuid.uuid4()))
        events = self._quote(Course(str(uuid.uuid4()), question, found.searched_for, reader, nowhere, hits=found.hits))
        while True:
            try:
                next(events)
            except StopIteration as ended:
                answer: Answer = ended.value
                return answer

    def _judge(self, question: str, hits: Sequence[Hit], retrieve: Callable[[str], Sequence[Hit]]) -> Searched:
        return searched(question, hits, retrieve, answerable_above=self._settings.answerable_above)

    def _is_a_model_there(self) -> bool:
        """Whether a model is to answer: one that was set up, or the one that is looked for where none was."""
        if self._model is None or self._model_expected:
            return self._model is not None
        try:
            self._model.card()
        except ModelUnavailable:
            return False
        return True

    def ask(
        self,
        question: str,
        principal: Principal,
        conversation: Conversation,
        *,
        origin: str,
        standing: Standing | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Generator[AnswerEvent, None, None]:
        """Answer `question` as the next turn of `conversation`.

        Yields Started, Found, any number of Token, and at last Answered.

        Args:
            origin: Through which door the question came.
            standing: How the reader stands while the answer is written; without it, as they stood when they asked.
            is_wanted: Whether somebody still waits for the answer. Once nobody does, the model is stopped.

        Raises:
            NotSignedIn, AccessDenied: The reader was shut out, or may not see any more what the answer draws on.
            AuditUnavailable: The log cannot be written; nothing (more) is answered.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: Nothing could be retrieved.
            InvalidRequest: The question is longer than the model's context window allows.
        """
        course = Course(
            query_id=str(uuid.uuid4()),
            question=question,
            searched_for=question,
            principal=principal,
            conversation=conversation,
            is_wanted=is_wanted,
        )
        with self._counted(course):
            self._log.append(received(course, origin))  # no record, no answer
            answer = yield from self._ended_on_record(course, standing or (lambda: principal))
            in_place = course.searched_for if course.searched_for != question else ""
            model = course.card.name if course.card else ""
            yield Answered(course.query_id, answer, model, in_place, drew_on(course, answer))

    @contextmanager
    def _counted(self, course: Course) -> Iterator[None]:
        """The question is being answered, until everything that comes of it is kept."""
        self._open[course.query_id] = course.principal.id
        try:
            yield
        finally:
            del self._open[course.query_id]

    def _ended_on_record(self, course: Course, standing: Standing) -> Generator[AnswerEvent, None, Answer]:
        """The answer, whose end is on record however it comes to it."""
        try:
            self._complete(course)
            yield Started(course.query_id, course.conversation.id, course.searched_for)
            answer = yield from self._watched(course, standing)
        except GeneratorExit:
            self._close(course, unanswered(course), error=CANCELLED)
            raise
        except Exception as error:  # the edge of a question: whatever it was, the record says that there was no answer
            self._close(course, unanswered(course), error=code_of(error))
            raise
        self._close(course, answer)
        return answer

    def _close(self, course: Course, answer: Answer, *, error: str = "") -> None:
        self._log.append(closed(course, answer, raised(course, answer, error=error), error=error))

    def _watched(self, course: Course, standing: Standing) -> Generator[AnswerEvent, None, Answer]:
        """The answer, for as long as the reader may see what it draws on."""
        with closing(self._answer(course)) as events:
            while True:
                try:
                    event = next(events)
                except StopIteration as ended:
                    self._look_again(course, standing)
                    answer: Answer = ended.value
                    return answer
                if time.monotonic() - course.looked_at >= _LOOK_EVERY_S:
                    self._look_again(course, standing)
                yield event

    def _look_again(self, course: Course, standing: Standing) -> None:
        """Raises NotSignedIn or AccessDenied when the reader may not be shown (more of) the answer."""
        course.looked_at = time.monotonic()
        reader = standing()
        earlier = course.drew_on_earlier if course.card else ()  # a model has the answers before, a quotation does not
        if not self._retriever.admits(course.draws_on, earlier, reader.access):
            course.is_withdrawn = True
            self._alarm("an answer was withdrawn while it was written: what it drew on was closed to its reader")
            raise AccessDenied(notices.WITHDRAWN)

    def _complete(self, course: Course) -> None:
        """Find out what a follow-up leaves out: by the model if there is one, by rules if not."""
        turns = course.conversation.turns
        if not turns or not is_follow_up(course.question):
            return
        course.searched_for = standalone(course.question, turns)
        if self._model is None or not self._model_settings.rewrite_timeout_s:
            return
        generation = rewriting_generation(self._generation(course), self._model_settings.rewrite_timeout_s)
        told = instructions(course.language).rewriting
        rewriting = rewrite(course.question, turns, self._model, generation, told)
        if rewriting is None:
            return
        course.searched_for = rewriting.question or course.searched_for
        self._log.append(completed(course, rewriting))

    def _answer(self, course: Course) -> Generator[AnswerEvent, None, Answer]:
        if reply := reply_to(course.question):
            self._record_nothing_found(course)
            return Answer(reply, AnswerKind.COURTESY, (), ())
        if not has_words(course.searched_for):
            return self._abstain(course, notices.NO_WORDS)
        course.state = self._state()
        retrieve = partial(self._retriever.retrieve, access=course.principal.access, on_withheld=course.note_withheld)
        found = self._judge(course.searched_for, retrieve(course.searched_for), retrieve)
        course.retrieval_ms = course.elapsed_ms()
        if not found.hits:
            return self._abstain(course, notices.NO_DOCUMENTS)
        course.searched_for, course.hits, course.answerable = found.searched_for, found.hits, found.answerable
        if not found.is_enough:
            return self._abstain(course)
        if self._model is not None:
            try:
                return (yield from self._generate(course, self._model))
            except ModelUnavailable as error:
                self._note_failure(course, error)
        return (yield from self._quote(course))

    def _generate(self, course: Course, model: LanguageModel) -> Generator[AnswerEvent, None, Answer]:
        course.card = model.card(self._generation(course))
        generation = self._generation(course)
        budget = generation.context_tokens - generation.max_tokens - PROMPT_OVERHEAD_TOKENS

        def attempt(number: int) -> Generator[AnswerEvent, None, Answer]:
            most = max(1, self._settings.passages >> number)
            prompt = build_prompt(
                course.question,
                packed(course.hits, most),
                course.conversation.turns,
                budget_tokens=budget,
                max_passages=most,
                count_tokens=model.count_tokens,
                words=instructions(course.language),
                differing=lambda passages: [
                    (found.one.number, found.other.number)
                    for found in course.differences(passages)
                    if found.is_conflict
                ],
            )
            return self._stream(course, model, prompt, generation)

        for number in range(_OVERFLOW_RETRIES):
            try:
                return (yield from attempt(number))
            except ContextOverflow:
                if course.shown:
                    raise
        return (yield from attempt(_OVERFLOW_RETRIES))

    def _generation(self, course: Course) -> Generation:
        """How to generate, within the window of the model if it is known."""
        chosen, card = self._model_settings, course.card
        window = min(chosen.context_tokens, card.context_tokens) if card else chosen.context_tokens
        return Generation(
            context_tokens=window,
            max_tokens=min(chosen.max_answer_tokens, window // 2),
            temperature=chosen.temperature,
            seed=chosen.seed,
            time_s=chosen.answer_timeout_s,
            is_wanted=lambda: course.is_wanted() and not self._writes_no_more.is_set(),
        )

    def _stream(
        self, course: Course, model: LanguageModel, prompt: Prompt, generation: Generation
    ) -> Generator[AnswerEvent, None, Answer]:
        yield from self._found(course, prompt.passages, prompt, generation)
        writing = Writing(model.stream(prompt.messages, generation), prompt.passages)
        with closing(writing):  # which stops the generation when the reader has left
            for text in writing:
                yield self._shown(course, text)
        if writing.says_no:
            return self._abstain(course)
        shown = "".join(course.shown).strip()
        if not has_words(shown):
            raise ModelUnavailable(notices.NOTHING)
        if writing.is_cut:
            course.notices.append(notices.LENGTH)
        return _checked(course, shown, writing.gate)

    def _quote(self, course: Course) -> Generator[AnswerEvent, None, Answer]:
        """The passages themselves, when there is no model to write."""
        passages = course.passages or numbered(packed(course.hits, self._settings.passages))
        hits = [passage.hit for passage in passages]
        quoted = [] if course.has_failed else for_others(course.searched_for, course.follow_up, passages)
        is_for_others = bool(quoted)
        if not quoted:
            if not course.has_failed and named.are_missing(course.searched_for, course.follow_up, hits):
                course.passages = passages
                return self._abstain(course)
            quoted = quotations(course.searched_for, passages, self._embedder, follow_up=course.follow_up)
        told = _besides(course, [quotation.passage for quotation in quoted], passages)
        if not course.retrieved:
            passages, quoted, told = _quoted_first(passages, quoted, told)
            yield from self._found(course, passages, None, None)
        laid = laid_out(quoted)
        gate = MarkerGate(passages)
        shown = gate.feed(laid.text) + gate.finish()
        yield self._shown(course, shown)
        course.notices += notices.of_quoted(
            laid.text,
            course.follow_up,
            is_marked=any(one.is_near for one in quoted),
            is_for_others=is_for_others,
            unnamed=named.unnamed(course.searched_for, course.follow_up, [one.passage.hit for one in quoted]),
        )
        course.notices += told.notices()
        citations = _with(gate.citations, told.passages)
        return Answer(
            shown,
            AnswerKind.EXTRACTIVE,
            citations,
            tuple(course.notices),
            highlights=laid.highlights,
            quoted_at=laid.quoted_at,
        )

    def _abstain(self, course: Course, why: str = "") -> Answer:
        if why:
            course.notices.append(why)
        if course.hits:
            course.nearest = course.hits[0]
            course.notices.append(notices.of_nearest(course.nearest.title))
        if not course.retrieved:
            self._record_nothing_found(course)
        text = notices.not_said(course.language)
        return Answer(text, AnswerKind.ABSTAINED, (), tuple(course.notices))

    def _record_nothing_found(self, course: Course) -> None:
        """Put on record that nothing was put before a model or a reader."""
        self._log.append(retrieved(course, None, None))
        course.retrieved = True

    def _found(
        self, course: Course, passages: tuple[Citation, ...], prompt: Prompt | None, generation: Generation | None
    ) -> Iterator[AnswerEvent]:
        course.passages = passages
        self._log.append(retrieved(course, prompt, generation))  # before the first word is shown
        course.retrieved = True
        yield Found(passages)

    def _shown(self, course: Course, text: str) -> Token:
        if course.first_token_ms is None:
            course.first_token_ms = course.elapsed_ms()
        course.shown.append(text)
        return Token(text)

    def _note_failure(self, course: Course, error: ModelUnavailable) -> None:
        if course.shown:
            course.notices.append(notices.CUT_OFF)
        if self._model_expected or course.card is not None:
            course.notices.append(f"{error} {notices.QUOTED_INSTEAD}")
            course.has_failed = True
        course.card = None


def _quoted_first(
    passages: Sequence[Citation], quoted: Sequence[Quotation], told: Besides
) -> tuple[tuple[Citation, ...], list[Quotation], Besides]:
    """The passages numbered anew as a reader comes upon them: first those quoted, then those told of, then the rest."""
    spoken_of = [*(quotation.passage for quotation in quoted), *told.passages]
    ordered = numbered([passage.hit for passage in dict.fromkeys((*spoken_of, *passages))])
    by_chunk = {passage.hit.chunk.id: passage for passage in ordered}
    renumbered = [replace(one, passage=by_chunk[one.passage.hit.chunk.id]) for one in quoted]
    return ordered, renumbered, told.numbered_as(by_chunk)


def _checked(course: Course, shown: str, gate: MarkerGate) -> Answer:
    """What a model wrote, held against what it cites."""
    checked = grounding(shown, gate.citations, detect_language(shown))
    if gate.unknown_markers:
        course.notices.append(notices.UNKNOWN_MARKER)
    told = _besides(course, gate.citations, course.passages)
    course.notices += (*notices.of_grounding(checked, cites=bool(gate.citations)), *told.notices())
    citations = _with(gate.citations, told.passages)
    return Answer(shown, AnswerKind.GENERATED, citations, tuple(course.notices), gate.unknown_markers, checked)


def _besides(course: Course, cited: Sequence[Citation], passages: tuple[Citation, ...]) -> Besides:
    return besides(course.searched_for, cited, passages, course.differences(passages))


def _with(citations: Sequence[Citation], others: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citations and the passages that are told of besides, by number."""
    return tuple(sorted({*citations, *others}, key=lambda citation: citation.number))
