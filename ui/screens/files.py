"""Files: every one that was ever seen, how it stands and why, what can be done about it, and what left the index.

An admin sees where files are and how they were read, never their text. A page's picture is shown to those who may read
the document; the API decides that.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from appliance import wording
from appliance.api.schemas.calling import segment
from appliance.api.schemas.files import CoverageOut, FileOut, FilePassword, ReceiptOut
from appliance.api.schemas.sources import Reread, SourceOut, SyncIn
from appliance.domain import TROUBLED, DocumentState, SourceKind
from ui import pieces, states
from ui.client import Client, checked
from ui.coverage_view import Pictures, show_coverage
from ui.following import dialog, follow
from ui.inert import Html, text

_LIMIT = 25
_WITHOUT_PAGES = {
    DocumentState.INDEXED: "This kind of file has no pages.",
    DocumentState.PENDING_REVIEW: "This kind of file has no pages.",
    DocumentState.DUPLICATE: "Its pages are those of the document it is a copy of.",
    DocumentState.EMPTY: "There is nothing in it to read.",
}
_NOT_READ = "This file was not read, so nothing is known of its pages."


def page(client: Client, sources: list[SourceOut]) -> None:
    """Show the filters, the files, and what left the index."""
    with pieces.problems_shown():
        follow(client, client.runs())
    wanted, source_id, state = _filters(sources)
    with pieces.problems_shown():
        _list(client, wanted, next((source for source in sources if source.id == source_id), None), state)
    receipts = st.expander("What left the index", key="files-receipts", on_change="rerun")
    with receipts, pieces.problems_shown():
        if receipts.open:
            _show_receipts(client)


def _list(client: Client, wanted: str, source: SourceOut | None, state: str) -> None:
    offset = pieces.offset("files-page", _LIMIT)
    found = client.files(source.id if source else "", state, wanted, _LIMIT, offset)
    with st.container(horizontal=True, vertical_alignment="center"):
        pieces.show(pieces.line(pieces.count(found.total, "file")), "content")
        with pieces.problems_shown():
            _offer_troubled(client, source)
    for file in found.files:
        with st.container(key=f"sr-card-{file.document_id}", border=True):
            pieces.show(_entry(file))
            if st.button("Open file", key=f"open-{file.document_id}"):
                _open(client, file)
    pieces.pager("files-page", found.total, _LIMIT)


def _filters(sources: Sequence[SourceOut]) -> tuple[str, str, str]:
    names = {"": "All sources"} | {source.id: source.name for source in sources}
    words = {"": "All states"} | {state.value: words.capitalize() for state, words in wording.STATES.items()}
    search, by_source, by_state = st.columns([2, 1, 1])
    wanted = search.text_input("Search by path", key="files-text")
    source = by_source.selectbox("Source", list(names), format_func=names.__getitem__, key="files-source")
    state = by_state.selectbox("State", list(words), format_func=words.__getitem__, key="files-state")
    if (wanted, source, state) != st.session_state.get("files-asked"):
        st.session_state["files-asked"] = (wanted, source, state)
        st.session_state["files-page"] = 0
    return wanted, source, state


def _offer_troubled(client: Client, source: SourceOut | None) -> None:
    troubled = 0 if source is None else sum(source.states.get(state, 0) for state in TROUBLED)
    if source is None or not troubled:
        return
    number = pieces.count(troubled, "file")
    if st.button(f"Try {number} in trouble again", key=f"troubled-{source.id}"):
        client.sync(source.id, SyncIn(again=Reread.TROUBLED))
        pieces.say_after_rerun(f"{source.name} is being synced; its {number} in trouble are tried again.")
        st.rerun()


def _entry(file: FileOut) -> Html:
    facts = pieces.dotted(file.source, f"seen by {pieces.listed(file.groups)}", _size(file), _due(file))
    reason = f"<p>{text(file.reason)}</p>" if file.reason else ""
    return Html(
        f'<div class="sr-source"><div><strong>{text(file.path)}</strong><br>{states.badge(file.state)}'
        f"{reason}<p>{text(facts)}</p></div></div>"
    )


def _size(file: FileOut) -> str:
    """Nothing for a size nobody knows: of a file in another one that could not be read, or of one that is gone."""
    return pieces.size(file.size_bytes) if file.size_bytes else ""


def _due(file: FileOut) -> str:
    tried = f"tried {pieces.count(file.attempts, 'time')}" if file.attempts else ""
    again = f"tried again {pieces.moment(file.retry_at)}" if file.retry_at else ""
    return pieces.dotted(tried, again)


# one file


@dialog("File", "medium")
def _open(client: Client, file: FileOut) -> None:
    with pieces.problems_shown():
        coverage = client.coverage(file.document_id)
        pieces.show(Html(f'<div class="sr-source"><div><h2>{text(file.path)}</h2></div></div>'))
        pieces.show(_facts(file, coverage))
        with pieces.problems_shown():
            _offer_acts(client, file, coverage.state)
        if coverage.state is DocumentState.GONE:
            _show_receipts_of(client, file)
        else:
            _show_pages(file, coverage)


def _facts(file: FileOut, coverage: CoverageOut) -> Html:
    return pieces.fields(
        [
            ("State", states.badge(coverage.state)),
            ("Reason", text(coverage.reason)),
            ("Source", text(file.source)),
            ("Seen by", text(pieces.listed(file.groups))),
            ("Level", text(file.level)),
            ("Size", text(_size(file))),
            ("Looked at", text(pieces.moment(file.updated_at))),
            ("Attempts", text(file.attempts or "")),
            ("Tried again", text(pieces.moment(file.retry_at) if file.retry_at else "")),
        ]
    )


def _offer_acts(client: Client, file: FileOut, state: DocumentState) -> None:
    if state is DocumentState.NEEDS_PASSWORD:
        _offer_password(client, file)
    words = "Try again" if state in TROUBLED else "Read again"
    if state is not DocumentState.GONE and st.button(words, key=f"again-{file.document_id}"):
        client.try_again([file.document_id])
        pieces.say_after_rerun(f"{file.path} is being read again.")
        st.rerun()
    if file.source_kind is SourceKind.UPLOADS and file.container_id is None and state is not DocumentState.GONE:
        with st.expander("Withdraw this upload"):
            pieces.show(pieces.line("The file is deleted, and its document leaves the index."))
            if st.button("Withdraw file", key=f"withdraw-{file.document_id}"):
                client.withdraw(file.document_id)
                pieces.say_after_rerun(f"{file.path} is being withdrawn.")
                st.rerun()


def _offer_password(client: Client, file: FileOut) -> None:
    with st.form(f"password-{file.document_id}", clear_on_submit=True, border=False):
        password = st.text_input("Password of the file", type="password", autocomplete="off")
        pieces.show(pieces.line("It is used once to read the file, and kept nowhere."))
        if st.form_submit_button("Open with this password", type="primary"):
            client.open_with(file.document_id, checked(FilePassword, password=password))
            pieces.say_after_rerun(f"{file.path} is being read with the password.")
            st.rerun()


def _show_pages(file: FileOut, coverage: CoverageOut) -> None:
    pieces.show(Html('<h3 class="sr-small-head">Pages</h3>'))
    if not coverage.pages:
        pieces.show(pieces.line(_WITHOUT_PAGES.get(coverage.state, _NOT_READ)))
        return
    shown = coverage.has_images and coverage.may_open
    address = f"/api/documents/{segment(file.document_id)}"
    show_coverage(coverage.pages, f"file-{file.document_id}", Pictures(address, file.path) if shown else None)
    if coverage.has_images and not coverage.may_open:
        pieces.show(
            pieces.line(f"The pages themselves are shown to those who may read them: {pieces.listed(file.groups)}.")
        )


# what left the index


def _show_receipts_of(client: Client, file: FileOut) -> None:
    receipts = client.receipts(file.document_id)
    if receipts:
        pieces.show(Html('<h3 class="sr-small-head">Left the index</h3>'))
        _table(receipts)


def _show_receipts(client: Client) -> None:
    offset = pieces.offset("receipts-page", _LIMIT)
    receipts = client.receipts(limit=_LIMIT + 1, offset=offset)
    if not receipts and not offset:
        pieces.show(pieces.line("No document has left the index yet."))
        return
    _table(receipts[:_LIMIT])
    pieces.pager("receipts-page", offset + len(receipts), _LIMIT)


def _table(receipts: Sequence[ReceiptOut]) -> None:
    columns = ("File", "Removed", "Passages", "Content (SHA-256)")
    with st.container(key="sr-receipts"):
        pieces.show(pieces.table(columns, [_receipt(receipt) for receipt in receipts]))


def _receipt(receipt: ReceiptOut) -> tuple[Html, ...]:
    return (
        Html(f"{text(receipt.path)}<br><small>{text(receipt.source)}</small>"),
        text(pieces.moment(receipt.removed_at)),
        text(f"{receipt.chunks_before:,} before, {receipt.chunks_after:,} after"),
        pieces.code(receipt.sha256[:16]),
    )
