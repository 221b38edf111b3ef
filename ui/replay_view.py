"""A question on record, run again: whether the same comes of it, and what is not as it was.

A sign, a word for screen readers and the frame say which words went and which came; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from appliance.api.schemas.replays import NoteOut, PassageNowOut, PassageThenOut, PieceOut, ReplayOut
from ui import pieces
from ui.client import Client
from ui.inert import Html, text

_OUTCOMES: dict[str, tuple[str, pieces.Tone]] = {
    "reproduced": ("The same answer comes of it today, word for word.", "good"),
    "differs": ("Another answer comes of it today.", "warn"),
    "impossible": ("The answer could not be made again.", "warn"),
}
_KEPT = "strongroom_replay"
_SEARCH_FAILED = "search.failed"
_FATES = {
    "in_force": "still in force",
    "superseded": "has a later version",
    "closed": "closed to the person",
    "changed": "has another text",
    "erased": "not stored any more",
}


@st.fragment  # so that a click draws this part again, and does not read the entry again
def offer_replay(client: Client, query_id: str) -> None:
    """A button that runs a question on record again, and what came of it, while its entry stays open."""
    with pieces.problems_shown():
        if st.button("Run it again", key=f"replay-{query_id}", help="Asks nothing in anybody's name. Is on record."):
            forget()
            with st.spinner("Searching and asking again"):
                st.session_state[_KEPT] = (client.replay(query_id), datetime.now(UTC))
        elif _KEPT in st.session_state and client.log_opening().until is None:
            forget()  # drawn again, and the log is not open any more
        found, at = st.session_state.get(_KEPT, (None, None))
        if found is not None and found.query_id == query_id:
            with st.container(key="sr-replay"):
                pieces.show(pieces.line(f"Run again {pieces.moment(at)}"))
                _show(found)


def forget() -> None:
    """Keep nothing of what was run again before: an entry that is read anew may have been erased meanwhile."""
    st.session_state.pop(_KEPT, None)


def _show(found: ReplayOut) -> None:
    words, tone = _OUTCOMES.get(found.outcome, (found.outcome, "quiet"))
    pieces.show(pieces.notice(words, tone))
    if found.prompt_then:
        same = found.prompt_now == found.prompt_then
        pieces.show(pieces.line(f"Prompt: {'the same, by its hash' if same else 'not to be made again as it was'}."))
    if found.notes:
        pieces.show(Html(f'<ul class="sr-notes">{"".join(map(_note, found.notes))}</ul>'))
    if found.pieces:
        pieces.show(_comparison(found))
    _show_passages(found.passages, searched=all(note.finding != _SEARCH_FAILED for note in found.notes))
    if found.found_now:
        pieces.show(
            Html(
                '<h3 class="sr-small-head">Found now and not then</h3>'
                '<p class="sr-muted">What they say is for those who may read them.</p>'
                f'<ul class="sr-notes">{pieces.join(map(_found_now, found.found_now))}</ul>'
            )
        )


def _show_passages(passages: Sequence[PassageThenOut], *, searched: bool) -> None:
    """Those that are not as they were; what has become of their documents first. The others are folded away.

    Where nothing could be searched again, no rank says anything: what has become of the documents alone does.
    """
    differing = [it for it in passages if it.fate != "in_force" or (searched and it.rank_now != it.rank_then)]
    same = [it for it in passages if it not in differing]
    columns = ("Rank then", "Rank now", "Number", "Document", "Now")
    if differing:
        pieces.show(Html('<h3 class="sr-small-head">Passages that are not as they were</h3>'))
        differing.sort(key=lambda it: (it.fate == "in_force", it.rank_now is not None, it.rank_then))
        pieces.show(pieces.table(columns, [_row(it, searched=searched) for it in differing]))
    if same:
        with st.expander(f"{pieces.count(len(same), 'passage')} as then{', at the same rank' if searched else ''}"):
            pieces.show(pieces.table(columns, [_row(it, searched=searched) for it in same]))


def _found_now(passage: PassageNowOut) -> Html:
    named = text(passage.title) if passage.title else pieces.code(passage.chunk_id)
    return Html(f"<li>{named} at rank {passage.rank}</li>")


def _note(note: NoteOut) -> str:
    mark = pieces.badge("no longer possible", "warn") if note.prevents else Html("")
    return f'<li><span dir="auto">{text(note.words)}</span> {mark}</li>'


def _comparison(found: ReplayOut) -> Html:
    hidden = (
        '<p class="sr-muted">New words are not shown: they come from documents that you may not read.</p>'
        if found.is_hidden
        else ""
    )
    words = "".join(map(_piece, found.pieces))
    return Html(
        f'<h3 class="sr-small-head">The answer then and now</h3>{hidden}<p class="sr-compared" dir="auto">{words}</p>'
    )


def _piece(piece: PieceOut) -> str:
    if piece.change == "same":
        return str(text(piece.text))
    if piece.change == "gone":
        return f'<del class="sr-removed"><span class="sr-hidden">Then: </span>{text(piece.text)}</del>'
    shown = text(piece.text) if piece.text else text(f" ({pieces.count(piece.words, 'word')} not shown) ")
    return f'<ins class="sr-added"><span class="sr-hidden">Now: </span>{shown}</ins>'


def _row(passage: PassageThenOut, *, searched: bool) -> tuple[Html, ...]:
    no_rank = "not found" if searched else "not searched"
    return (
        text(passage.rank_then),
        text(no_rank if passage.rank_now is None else passage.rank_now),
        text("none" if passage.number is None else f"[{passage.number}]"),
        text(passage.title),
        text(_FATES.get(passage.fate, passage.fate)),
    )
