"""What has happened to a question so far, and the entries of the log that say so."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from appliance.answering.conflicts import Difference, differences
from appliance.answering.followup import as_follow_up
from appliance.answering.instructions import TEMPLATE
from appliance.answering.prompt import Prompt
from appliance.answering.rewriting import Rewriting
from appliance.audit.entries import (
    AnswerClosed,
    CheckedAnswer,
    CheckedStatement,
    CitedPassage,
    EarlierTurn,
    GenerationParameters,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
    QuestionRewritten,
    RaisedFlag,
    RetrievedPassage,
    SearchState,
)
from appliance.domain import (
    EVERYONE,
    Answer,
    AnswerKind,
    Citation,
    Conversation,
    Grounding,
    Hit,
    Principal,
    Turn,
    text_sha256,
)
from appliance.inference.language import question_language
from appliance.inference.port import Generation, ModelCard
from appliance.labels import NO_LEVEL

Standing = Callable[[], Principal]
"""Who asks, as they stand at this moment. Raises NotSignedIn or AccessDenied when they may not ask any more."""

_TELL_A_LANGUAGE = 5  # passages, the best


@dataclass(slots=True)
class Course:
    """One question on its way to its answer: the material of its records.

    `searched_for` is what `hits` were found for: the question, a follow-up completed, or either without the form of the
    answer at its end. `is_wanted` says whether somebody still waits for the answer. `looked_at` is when it was last
    seen to that the reader may still see what the answer draws on. `withheld` counts the passages that the catalog kept
    from a search (the most, where there were two), `is_withdrawn` says that the whole answer was, `has_failed` that a
    model was to answer and did not. `nearest` is whose document is told where there is no answer.
    """

    query_id: str
    question: str
    searched_for: str
    principal: Principal
    conversation: Conversation
    is_wanted: Callable[[], bool] = lambda: True
    started: float = field(default_factory=time.monotonic)
    state: SearchState | None = None
    hits: Sequence[Hit] = ()
    answerable: float | None = None
    passages: tuple[Citation, ...] = ()
    nearest: Hit | None = None
    card: ModelCard | None = None
    shown: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    retrieved: bool = False
    retrieval_ms: float = 0.0
    looked_at: float = field(default_factory=time.monotonic)
    first_token_ms: float | None = None
    withheld: int = 0
    is_withdrawn: bool = False
    has_failed: bool = False
    _compared: tuple[tuple[Citation, ...], list[Difference]] | None = field(default=None, init=False)

    @property
    def follow_up(self) -> str:
        """The question as it was asked, where it was completed; else nothing."""
        return as_follow_up(self.question, self.searched_for)

    @property
    def language(self) -> str:
        """The language of the question (two letters), of one that is too short by itself together with the one before.

        Where it is not clear, as of a name or two, it is that of most of the best passages that were found; empty
        before, or if none are.
        """
        return (
            question_language(self.question)
            or question_language(self.searched_for)
            or _commonest(hit.chunk.language for hit in self.hits[:_TELL_A_LANGUAGE])
        )

    @property
    def draws_on(self) -> tuple[Hit, ...]:
        """All that was found which the reader must be allowed to see for as long as the answer is written."""
        return (*(passage.hit for passage in self.passages), *((self.nearest,) if self.nearest else ()))

    @property
    def drew_on_earlier(self) -> tuple[str, ...]:
        """What the answers before drew on (chunk ids), which complete the question and stand in the prompt."""
        return tuple(dict.fromkeys(chunk for turn in self.conversation.turns for chunk in turn.drew_on))

    def elapsed_ms(self) -> float:
        """Milliseconds since the question came in."""
        return round((time.monotonic() - self.started) * 1000, 1)

    def note_withheld(self, passages: int) -> None:
        """So many passages were kept from a search, because the reader may not see them any more.

        A second search may meet the same ones: they are not counted twice.
        """
        self.withheld = max(self.withheld, passages)

    def differences(self, passages: tuple[Citation, ...]) -> list[Difference]:
        """The pairs of these passages that differ. Prompt and answer ask for those of the same ones: found once."""
        if self._compared is None or self._compared[0] is not passages:
            self._compared = (passages, differences(self.searched_for, passages))
        return self._compared[1]


def _commonest(languages: Iterable[str]) -> str:
    """Of several as common the first."""
    return next((language for language, _ in Counter(languages).most_common(1)), "")


def numbered(hits: Sequence[Hit]) -> tuple[Citation, ...]:
    """The hits as passages [1], [2] and so on."""
    return tuple(Citation(number, hit) for number, hit in enumerate(hits, start=1))


def drew_on(course: Course, answer: Answer) -> tuple[str, ...]:
    """The chunks (ids) that the words of an answer came from: what it quotes, or all that a model had before it.

    A model had earlier answers before it too, and so what those drew on. Where the documents do not answer, it is
    the one whose title is told.
    """
    if answer.kind is AnswerKind.GENERATED:
        own = (passage.hit.chunk.id for passage in course.passages)
        return tuple(dict.fromkeys([*own, *course.drew_on_earlier]))
    if answer.kind is AnswerKind.ABSTAINED:
        return (course.nearest.chunk.id,) if course.nearest else ()
    return tuple(dict.fromkeys(citation.hit.chunk.id for citation in answer.citations))


def received(course: Course, origin: str) -> QuestionReceived:
    """The question, as it came in through the door `origin`."""
    return QuestionReceived(
        query_id=course.query_id,
        actor=course.principal.id,
        actor_name=course.principal.name,
        groups=tuple(sorted(course.principal.groups | {EVERYONE})),
        levels=tuple(sorted(course.principal.levels - {NO_LEVEL})),
        conversation_id=course.conversation.id,
        question=course.question,
        origin=origin,
    )


def completed(course: Course, rewriting: Rewriting) -> QuestionCompleted:
    """What a model was asked to make of a follow-up, and what became of it."""
    return QuestionCompleted(course.query_id, course.principal.id, course.searched_for, _rewritten(rewriting))


def retrieved(course: Course, prompt: Prompt | None, generation: Generation | None) -> PassagesRetrieved:
    """What was found, and what the model is about to be asked."""
    return PassagesRetrieved(
        query_id=course.query_id,
        actor=course.principal.id,
        searched_for=course.searched_for,
        retrieved=tuple(_passage(hit, course.passages) for hit in course.hits),
        model=_model(course.card),
        prompt_sha256=prompt.sha256 if prompt else "",
        prompt_template=TEMPLATE if prompt else "",
        parameters=_parameters(generation, course.card) if generation else None,
        answerable=course.answerable,
        reranker_digest=next((hit.reranked_by for hit in course.hits if hit.reranked_by), ""),
        language=course.language,
        turns=tuple(map(_earlier, prompt.turns)) if prompt else (),
        differing=prompt.differing if prompt else (),
        state=course.state,
    )


def closed(course: Course, answer: Answer, flags: tuple[RaisedFlag, ...], *, error: str = "") -> AnswerClosed:
    """The end of an answer and the flags it raised; `error` is a stable code when it was not the one wanted."""
    shown = "".join(course.shown)
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
        withdrawn=shown if shown.strip() != answer.text else "",
        checked=_checked(answer.grounding) if answer.grounding else None,
        flags=flags,
        highlights=answer.highlights,
    )


def unanswered(course: Course) -> Answer:
    """What was on the reader's screen when the answer ended early."""
    return Answer("".join(course.shown), AnswerKind.GENERATED, (), tuple(course.notices))


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
        reranking=hit.reranking,
        text_sha256=text_sha256(hit.chunk.text),
        superseded_by=hit.superseded_by,
    )


def _earlier(turn: Turn) -> EarlierTurn:
    return EarlierTurn(turn.query_id) if turn.query_id else EarlierTurn("", turn.question, turn.answer)


def _model(card: ModelCard | None) -> ModelUsed:
    if card is None:
        return ModelUsed()
    return ModelUsed(card.provider, card.name, card.digest, card.quantisation, card.context_tokens)


def _parameters(generation: Generation, card: ModelCard | None) -> GenerationParameters:
    """What the model was asked with, as far as it takes it."""
    takes_sampling = card is None or card.takes_sampling
    return GenerationParameters(
        temperature=generation.temperature if takes_sampling else None,
        seed=generation.seed if takes_sampling else None,
        max_tokens=generation.max_tokens,
        context_tokens=generation.context_tokens,
    )


def _rewritten(rewriting: Rewriting) -> QuestionRewritten:
    return QuestionRewritten(
        said=rewriting.said,
        used=bool(rewriting.question),
        model=_model(rewriting.card),
        prompt_sha256=rewriting.prompt_sha256,
        prompt_template=rewriting.template,
        parameters=_parameters(rewriting.generation, rewriting.card),
    )


def _checked(grounding: Grounding) -> CheckedAnswer:
    return CheckedAnswer(
        score=grounding.score,
        statements=tuple(
            CheckedStatement(
                start=check.start,
                end=check.end,
                cited=check.cited,
                score=check.score,
                supported=check.supported,
                comparable=check.comparable,
                numbers_missing=check.numbers_missing,
            )
            for check in grounding.statements
        ),
    )
