"""Library: the documents a reader may see, how each was read, and its passages."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas import DocumentDetail, DocumentOut, PageOut, PassageTextOut
from appliance.domain import TextMeans
from ui import pieces
from ui.client import Client
from ui.inert import Html, render, text

_LIMIT = 20
_PASSAGES = 10
_MEANS = {
    TextMeans.TEXT_LAYER: "Text of the file",
    TextMeans.OCR: "Read from the image (OCR)",
    TextMeans.NONE: "No text",
}


def page(client: Client) -> None:
    """Show the list, with search and a filter by source."""
    pieces.heading("Library", "The documents you may see, and what was read of each.")
    search, narrow = st.columns([2, 1])
    wanted = search.text_input("Search by title or path", key="library-text")
    source = narrow.selectbox("Source", ["", *_sources(client)], format_func=_name_of, key="library-source")
    if (wanted, source) != st.session_state.get("library-asked"):
        st.session_state["library-asked"] = (wanted, source)
        st.session_state["library-page"] = 0
    offset = int(st.session_state.get("library-page", 0)) * _LIMIT
    found = client.documents(wanted, source, _LIMIT, offset)
    pieces.show(pieces.line(pieces.count(found.total, "document")))
    for document in found.documents:
        with st.container(key=f"sr-card-{document.id}", border=True):
            pieces.show(_entry(document))
            if st.button("Open document", key=f"open-{document.id}"):
                _open(client, document.id)
    pieces.pager("library-page", found.total, _LIMIT)


def _sources(client: Client) -> list[str]:
    return client.documents(limit=1).sources


def _name_of(source: str) -> str:
    return source or "All sources"


def _entry(document: DocumentOut) -> Html:
    facts = pieces.dotted(
        document.source, pieces.size(document.size_bytes), f"changed {pieces.moment(document.updated_at)}"
    )
    return Html(
        f'<div class="sr-source"><div><strong>{text(document.title)}</strong><p>{text(document.path)}</p>'
        f"<p>{text(facts)} {pieces.badges(sorted(document.groups))}</p></div></div>"
    )


@st.dialog("Document", width="medium")
def _open(client: Client, document_id: str) -> None:
    with pieces.problems_shown():
        document = client.document(document_id)
        pieces.show(Html(f'<div class="sr-source"><div><h2>{text(document.title)}</h2></div></div>'))
        names = ["Passages", "Pages"] if document.pages or document.has_images else ["Passages"]
        about, *others = st.tabs(["About", *names])
        with about:
            pieces.show(_facts(document))
        with others[0]:
            _show_passages(document)
        if len(others) > 1:
            with others[1]:
                _show_pages(document)


def _facts(document: DocumentDetail) -> Html:
    return pieces.fields(
        [
            ("Source", text(document.source)),
            ("Path", text(document.path)),
            ("Seen by", text(pieces.listed(document.groups))),
            ("Size", text(pieces.size(document.size_bytes))),
            ("Changed", text(pieces.moment(document.updated_at))),
            ("Indexed", text(pieces.moment(document.indexed_at))),
            ("Read", text(_coverage(document.pages))),
            ("Passages", text(f"{document.chunk_count:,}")),
            ("SHA-256", pieces.code(document.sha256)),
        ]
    )


def _coverage(pages: list[PageOut]) -> str:
    if not pages:
        return ""
    read = sum(page.means is not TextMeans.NONE for page in pages)
    by_ocr = sum(page.means is TextMeans.OCR for page in pages)
    return f"{read:,} of {pieces.count(len(pages), 'page')} gave text{f', {by_ocr:,} of them by OCR' if by_ocr else ''}"


def _show_passages(document: DocumentDetail) -> None:
    if len(document.passages) < document.chunk_count:
        of = pieces.count(document.chunk_count, "passage")
        pieces.show(pieces.line(f"A long document: here are the first {len(document.passages):,} of {of}."))
    shown = int(st.session_state.get(f"shown-{document.id}", _PASSAGES))
    for passage in document.passages[:shown]:
        pieces.show(_passage(passage))
    if shown < len(document.passages) and st.button("Show more passages", key=f"more-{document.id}"):
        st.session_state[f"shown-{document.id}"] = shown + _PASSAGES
        st.rerun(scope="fragment")


def _passage(passage: PassageTextOut) -> Html:
    place = pieces.where(passage.place) or f"Passage {passage.number}"
    return Html(f'<div class="sr-passage"><p class="sr-muted">{text(place)}</p>{render(passage.text)}</div>')


def _show_pages(document: DocumentDetail) -> None:
    if document.has_images and document.pages:
        number = st.number_input(
            f"Page (1 to {len(document.pages)})", 1, len(document.pages), 1, key=f"page-{document.id}"
        )
        alt = f"Page {number} of {document.title}"
        pieces.show(pieces.page_image(f"/api/documents/{pieces.segment(document.id)}/pages/{number}.png", alt))
        for page in document.pages:
            if page.page == number:
                facts = pieces.dotted(_MEANS[page.means], f"{page.characters:,} characters", page.reason)
                pieces.show(pieces.line(facts))
    thin = [page for page in document.pages if page.means is not TextMeans.TEXT_LAYER]
    if not thin:
        pieces.show(pieces.line("Every page gave the text of the file."))
        return
    rows = [
        (text(page.page), text(_MEANS[page.means]), text(f"{page.characters:,}"), text(page.reason))
        for page in thin[:200]
    ]
    pieces.show(Html('<h3 class="sr-small-head">Pages without a text layer</h3>'))
    pieces.show(pieces.table(("Page", "Read by", "Characters", "Why"), rows))
