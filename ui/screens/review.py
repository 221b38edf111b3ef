"""Review: what waits for a curator, what it says, what it changes, and the decision."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from appliance.api.schemas.calling import segment
from appliance.api.schemas.reviews import Approval, CopyOut, Rejection, ReviewDetail, ReviewOut
from ui import pieces
from ui.changes_view import show_changes
from ui.client import Client, checked
from ui.coverage_view import Pictures, show_coverage, summary
from ui.following import dialog, follow
from ui.inert import Html, one_line, text
from ui.passage_view import show_passages

_LIMIT = 25
_NAMED_COPIES = 3


def page(client: Client) -> None:
    """Show what waits, and how much waits for others."""
    with pieces.problems_shown():
        follow(client, client.runs())
    offset = pieces.offset("reviews-page", _LIMIT)
    waiting = client.reviews(_LIMIT, offset)
    if waiting.total:
        pieces.show(pieces.line(f"{pieces.count(waiting.total, 'document waits', 'documents wait')} for review."))
    else:
        pieces.show(pieces.notice("Nothing waits for review.", "good"))
    for review in waiting.reviews:
        with st.container(key=f"sr-card-{review.document_id}", border=True):
            pieces.show(_entry(review))
            if st.button("Review", key=f"review-{review.document_id}"):
                _open(client, review.document_id)
    pieces.pager("reviews-page", waiting.total, _LIMIT)
    if waiting.withheld:
        more = pieces.count(waiting.withheld, "more waits", "more wait")
        pieces.show(pieces.line(f"{more} for somebody who may read them." if waiting.withheld > 1 else _ONE_WITHHELD))


_ONE_WITHHELD = "1 more waits for somebody who may read it."


def _entry(review: ReviewOut) -> Html:
    facts = pieces.dotted(
        review.source, f"to be seen by {pieces.listed(review.groups)}", f"read {pieces.moment(review.read_at)}"
    )
    mark = pieces.badge("changes a document in force", "warn") if review.replaces else pieces.badge("new")
    if review.copies:
        mark = pieces.join([mark, pieces.badge("a copy of a released document")])
    return Html(
        f'<div class="sr-source"><div><strong>{text(review.path)}</strong><br>{mark}<p>{text(facts)}</p></div></div>'
    )


@dialog("Review", "medium")
def _open(client: Client, document_id: str) -> None:
    with pieces.problems_shown():
        review = client.review(document_id)
        pieces.show(_heading(review))
        if review.copies:
            pieces.show(_copies(review.copies))
        names = ["Passages"]
        if review.changes is not None:
            names.insert(0, "Changes")
        if review.pages:
            names.append("Pages")
        for name, tab in zip(names, st.tabs(names), strict=True):
            with tab:
                _show(name, review)
        _decide(client, review)


def _heading(review: ReviewDetail) -> Html:
    seen_by = f"to be seen by {pieces.listed(review.groups)}"
    facts = pieces.dotted(review.source, review.path, seen_by, pieces.size(review.size_bytes))
    lines = "".join(f"<p>{text(words)}</p>" for words in (facts, summary(review.pages)) if words)
    return Html(f'<div class="sr-source"><div><h2>{text(review.title)}</h2>{lines}</div></div>')


def _copies(copies: Sequence[CopyOut]) -> Html:
    """That the very same bytes are before readers already, and where."""
    named = [f"{one_line(copy.path, 200)} ({one_line(copy.source)})" for copy in copies[:_NAMED_COPIES]]
    more = [f"{len(copies) - len(named):,} more"] if len(copies) > len(named) else []
    return pieces.notice(f"The very same file is released already: {', '.join([*named, *more])}.")


def _show(name: str, review: ReviewDetail) -> None:
    if name == "Changes" and review.changes is not None:
        show_changes(review.changes)
    elif name == "Pages":
        address = f"/api/reviews/{segment(review.document_id)}"
        pictures = Pictures(address, review.title, opened=1) if review.has_images else None
        show_coverage(review.pages, f"review-{review.version_id}", pictures)
    else:
        show_passages(review.passages, review.chunk_count, f"review-{review.version_id}")


def _decide(client: Client, review: ReviewDetail) -> None:
    if review.needs_another:
        pieces.show(
            pieces.notice(
                "You uploaded this file, or a program with your token did. Another administrator releases it.", "warn"
            )
        )
    with st.form(f"decide-{review.document_id}", border=False):
        reason = st.text_input("Reason, if you turn it down")
        with st.container(horizontal=True, gap="small"):
            approved = st.form_submit_button("Approve", type="primary", disabled=review.needs_another)
            turned_down = st.form_submit_button("Turn down")
    if approved:
        client.approve(review.document_id, Approval(version_id=review.version_id))
        pieces.say_after_rerun(f"{review.title} is approved. Readers find it as soon as its source is synced.")
        st.rerun()
    if turned_down and not reason.strip():
        pieces.show(pieces.notice("Say why you turn it down: whoever owns the document has to know.", "warn"))
    elif turned_down:
        client.turn_down(review.document_id, checked(Rejection, reason=reason, version_id=review.version_id))
        pieces.say_after_rerun(f"{review.title} is turned down. Nobody finds it.")
        st.rerun()
