"""One question of the query log with everything on record: the answer, what it draws on, its flags, its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from appliance.api.schemas.asking import StatementOut
from appliance.api.schemas.log import FlagOut, ProofOut, QueryDetail, RetrievedOut
from appliance.domain import AnswerKind
from appliance.wording import ANSWERS, DOORS, VERDICTS
from ui import answer_view, pieces, replay_view
from ui.addresses import ENTRY
from ui.client import Client
from ui.inert import Html, label, text
from ui.passage_view import show_passage
from ui.read_once import read_again, read_once
from ui.screens import into_case

_PLACE = "log-entry"
FEEDBACK: Mapping[str, str] = {"": "Any feedback"} | {name: words.capitalize() for name, words in VERDICTS.items()}


def show_the_one_of_the_address(client: Client) -> None:
    """Show the entry that the address names, if it names one. Opened again once it was closed, it is read again."""
    if named := st.query_params.get(ENTRY):
        _open(client, named)
    else:
        read_again(_PLACE)


def _read(client: Client, query_id: str) -> QueryDetail:
    replay_view.forget()
    return client.query(query_id)


def _close() -> None:
    st.query_params.pop(ENTRY, None)


@st.dialog("Entry of the query log", width="medium", on_dismiss=_close)
def _open(client: Client, query_id: str) -> None:
    with pieces.problems_shown():
        query = read_once(_PLACE, query_id, lambda: _read(client, query_id))
        pieces.show(_said(query))
        if query.flags:
            pieces.show(_flags(query))
        pieces.show(_in_short(query))
        replay_view.offer_replay(client, query.query_id)
        into_case.offer(client, query.query_id)
        _show_cited_passages(client, query)
        _show_the_rest(query)


def _show_the_rest(query: QueryDetail) -> None:
    """What few need, each part behind its name."""
    if query.grounding is not None and query.grounding.statements:
        with st.expander("Sentence by sentence"):
            pieces.show(_statements(query.grounding.statements))
    if query.passages:
        with st.expander(f"Everything that was found: {pieces.count(len(query.passages), 'passage')}"):
            _show_passages(query)
    with st.expander("How it was made: model, parameters, hashes"):
        pieces.show(_made_with(query))
    with st.expander("Proof that it is in the log"):
        pieces.show(_proof(query.seq, query.proof))


def _said(query: QueryDetail) -> Html:
    answer = answer_view.answer(
        query.answer,
        frozenset(passage.number for passage in query.passages if passage.cited and passage.number is not None),
        is_quoted=query.kind is AnswerKind.EXTRACTIVE,
        highlights=query.highlights,
        grounding=query.grounding,
    )
    return Html(
        '<h3 class="sr-small-head">Question</h3>'
        f'<div class="sr-question" dir="auto">{text(query.question)}</div>'
        f'<h3 class="sr-small-head">Answer as shown</h3>{answer}'
    )


def _flags(query: QueryDetail) -> Html:
    rows = "".join(
        f"<p>{text(flag.meaning or flag.name)} <small>{text(pieces.dotted(_found_in(flag), flag.detail))}</small></p>"
        for flag in query.flags
    )
    return Html(f'<div class="sr-notice sr-warn" role="status"><strong>Flagged</strong>{rows}</div>')


def _found_in(flag: FlagOut) -> str:
    """Where a flag was found; nothing where what it means says so."""
    return "" if flag.meaning and flag.where in ("question", "answer", "search") else flag.where


def _in_short(query: QueryDetail) -> Html:
    """What people act on; what there is none of is left out."""
    words, tone = outcome(query.kind)
    feedback = pieces.dotted(FEEDBACK[query.feedback] if query.feedback else "", query.feedback_comment)
    return pieces.fields(
        [
            ("Asked", text(pieces.dotted(pieces.recorded_moment(query.asked_at), f"entry {query.seq}"))),
            ("Person", text(pieces.dotted(query.person, by_way_of(query.origin)))),
            ("Groups then", text(pieces.listed(query.groups))),
            ("Outcome", pieces.badge(words, tone)),
            ("Error", text(query.error.replace("_", " "))),
            ("Searched for", text(query.searched_for if query.searched_for != query.question else "")),
            ("Grounded", text(_grounded(query))),
            ("In a case", text("\n".join(f"Case {case.number}: {case.title}" for case in query.cases))),
            ("Notices shown", text(" ".join(query.notices))),
            (
                "Feedback",
                text(feedback),
            ),
        ]
    )


def outcome(kind: AnswerKind | None) -> tuple[str, pieces.Tone]:
    """What came of a question, and its tone; None where the answer was not ended."""
    if kind is None:
        return "unfinished", "bad"
    return ANSWERS[kind], "warn" if kind is AnswerKind.ABSTAINED else "quiet"


def by_way_of(origin: str) -> str:
    """How a question came in; nothing when that cannot be read any more."""
    return f"by way of {DOORS.get(origin, origin)}" if origin else ""


def _made_with(query: QueryDetail) -> Html:
    """The fields for those who examine how the answer came about."""
    parameters = ", ".join(f"{name} = {value}" for name, value in query.parameters.items())
    latency = ", ".join(f"{name.replace('_', ' ')} {ms:,.0f} ms" for name, ms in query.latency_ms.items())
    facts = [
        ("Cleared for then", text(pieces.listed(query.levels))),
        ("Completed by", text(query.rewriting)),
        ("Reranked by", pieces.code(query.reranker_digest)),
        ("Answerable", text(_answerable(query))),
        ("Model", text(pieces.dotted(query.model, query.model_provider, query.quantisation))),
        ("Model digest", pieces.code(query.model_digest)),
        ("Prompt template", text(query.prompt_template)),
        ("Prompt SHA-256", pieces.code(query.prompt_sha256)),
        ("Parameters", text(parameters)),
        ("Answer SHA-256", pieces.code(query.answer_sha256)),
        ("Latency", text(latency)),
        ("Id of the conversation", pieces.code(query.conversation_id)),
        ("Id of the question", pieces.code(query.query_id)),
    ]
    return pieces.fields((name, value or text("none")) for name, value in facts)


def _answerable(query: QueryDetail) -> str:
    """How likely the documents were held to answer, and from where on that was enough."""
    if query.answerable is None:
        return ""
    enough = "" if query.answerable_above is None else f", enough from {query.answerable_above:.3f} on"
    return f"{query.answerable:.3f}{enough}"


def _grounded(query: QueryDetail) -> str:
    """How the answer was held against its passages, and what was not found there."""
    if query.grounding is None:
        return ""
    missing = [number for statement in query.grounding.statements for number in statement.numbers_missing]
    found = f"{query.grounding.supported:,} of {query.grounding.judged:,} sentences stand in the cited passages"
    return f"{found}; not found: {', '.join(missing)}" if missing else found


def _statements(statements: Sequence[StatementOut]) -> Html:
    rows = [
        (
            text(statement.text),
            text(", ".join(f"[{number}]" for number in statement.cited)),
            _judged(statement),
            text(", ".join(statement.numbers_missing)),
        )
        for statement in statements
    ]
    return pieces.table(("Sentence", "Cites", "Stands there", "Numbers not found"), rows)


def _judged(statement: StatementOut) -> Html:
    if not statement.comparable:
        return pieces.badge("not judged")
    share = f"{statement.score:.0%} of its words"
    return pieces.badge(share, "good" if statement.supported else "warn")


def _show_cited_passages(client: Client, query: QueryDetail) -> None:
    cited = [passage for passage in query.passages if passage.cited]
    if cited:
        pieces.show(Html('<h3 class="sr-small-head">Passages that it cites</h3>'))
    for passage in cited:
        _show_cited(client, passage)


def _show_passages(query: QueryDetail) -> None:
    number = "In the prompt as" if query.prompt_sha256 else "Number"  # without a model there is no prompt
    rows = [_row(passage) for passage in query.passages]
    with st.container(key="sr-retrieved"):
        pieces.show(pieces.table(("Rank", "Document", "Page", number, "Cited", "Version (SHA-256)"), rows))


def _row(passage: RetrievedOut) -> tuple[Html, ...]:
    return (
        text(passage.rank),
        Html(f"{text(passage.title)}<br><small>{text(passage.path or 'not within your own access')}</small>"),
        text("" if passage.page is None else passage.page),
        text("none" if passage.number is None else f"[{passage.number}]"),
        pieces.badge("cited", "good") if passage.cited else text("no"),
        pieces.code(passage.version_sha256),
    )


def _show_cited(client: Client, passage: RetrievedOut) -> None:
    """A cited passage as it stands in its document, for an officer who may see that."""
    where = pieces.dotted(passage.title, f"page {passage.page}" if passage.page is not None else "")
    if not passage.readable:
        pieces.show(_closed(passage, where))
        return
    key = f"look-{passage.chunk_id}"
    if st.session_state.get(key):
        show_passage(client, passage.chunk_id)
    elif st.button(f"Look at passage {passage.number}: {label(where)}", key=f"{key}-button"):
        st.session_state[key] = True
        st.rerun(scope="fragment")


def _closed(passage: RetrievedOut, where: str) -> Html:
    return Html(
        f'<div class="sr-notice" role="status"><strong>[{text(passage.number)}] {text(where)}</strong>'
        "<p>Your own access does not include this document, or it is no longer there. Its title, its page and what "
        f"identifies the passage are all that is shown: {pieces.code(passage.chunk_id)}</p></div>"
    )


def _proof(seq: int, proof: ProofOut) -> Html:
    """The question is leaf `seq` of the tree: with these hashes anybody can work out the root."""
    path = Html("<br>".join(pieces.code(part) for part in proof.path))
    facts = pieces.fields(
        [
            ("Leaf", text(f"number {seq} of {proof.size:,}")),
            ("Leaf hash", pieces.code(proof.leaf_hash)),
            ("Way to the root", path),
            ("Root then", pieces.code(proof.root)),
            ("Signed checkpoint", Html(f"<code>{text(proof.signed)}</code>") if proof.signed else text("none yet")),
        ]
    )
    return Html(f'<div class="sr-proof">{facts}</div>')
