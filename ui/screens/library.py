"""Library: the documents a reader may see, how each was read, what it says, what it said before, what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from appliance.api.schemas.calling import segment
from appliance.api.schemas.documents import DocumentDetail, DocumentOut, RelatedOut, VersionOut
from ui import pieces
from ui.addresses import DOCUMENT
from ui.changes_view import show_changes
from ui.client import Client
from ui.coverage_view import Pictures, show_coverage, summary
from ui.inert import Html, text
from ui.passage_view import show_passages
from ui.screens import asking_access

_LIMIT = 20
_NAMED_FOR_ALL = "Answers name this one for all of them, as long as it stays as it is and where it is."
_WAY = "library-way"
"""The documents one went through from the one that was opened, to find back."""


def page(client: Client) -> None:
    """Show the list, with search and a filter by source."""
    pieces.heading("Library", "The documents you may see, and what was read of each.")
    with pieces.problems_shown():
        _list(client)
    asking_access.show(client)
    _open_the_one_of_the_address(client)


def _list(client: Client) -> None:
    search, narrow = st.columns([2, 1])
    wanted = search.text_input("Search by title or path", key="library-text")
    source = narrow.selectbox("Source", ["", *_sources(client)], format_func=_name_of, key="library-source")
    if (wanted, source) != st.session_state.get("library-asked"):
        st.session_state["library-asked"] = (wanted, source)
        st.session_state["library-page"] = 0
    offset = pieces.offset("library-page", _LIMIT)
    found = client.documents(wanted, source, _LIMIT, offset)
    pieces.show(pieces.line(pieces.count(found.total, "document")))
    if not found.total and (wanted or source):
        pieces.show(
            pieces.notice(
                "Nothing that you may see has this in its title or path. Try one word, or the beginning of one, and "
                "all sources. What stands inside the documents is found by asking."
            )
        )
    for document in found.documents:
        with st.container(key=f"sr-card-{document.id}", border=True):
            pieces.show(_entry(document))
            if st.button("Open document", key=f"open-{document.id}"):
                st.query_params[DOCUMENT] = document.id  # the page opens what its address names
    pieces.pager("library-page", found.total, _LIMIT)


def _sources(client: Client) -> list[str]:
    return client.documents(limit=1).sources


def _name_of(source: str) -> str:
    return source or "All sources"


def _entry(document: DocumentOut) -> Html:
    changed = f"changed {pieces.moment(document.file_modified_at)}" if document.file_modified_at else ""
    facts = pieces.dotted(document.source, pieces.size(document.size_bytes), changed)
    return Html(
        f'<div class="sr-source"><div><strong>{text(document.title)}</strong><p>{text(document.path)}</p>'
        f"<p>{text(facts)} {pieces.badges(sorted(document.groups))}</p></div></div>"
    )


def _open_the_one_of_the_address(client: Client) -> None:
    """Open the document that the address names, if it names one; from there on a way may have led to others."""
    named = st.query_params.get(DOCUMENT)
    if not named:
        st.session_state.pop(_WAY, None)
        return
    if st.session_state.get(_WAY, [""])[0] != named:
        st.session_state[_WAY] = [named]
    _open(client)


def _close() -> None:
    st.query_params.pop(DOCUMENT, None)


@st.dialog("Document", width="medium", on_dismiss=_close)
def _open(client: Client) -> None:
    with pieces.problems_shown():
        way: list[str] = st.session_state[_WAY]
        document = client.document(way[-1])
        if len(way) > 1 and st.button("Back to the document before", key=f"back-{len(way)}"):
            st.session_state[_WAY] = way[:-1]
            st.rerun(scope="fragment")
        pieces.show(Html(f'<div class="sr-source"><div><h2>{text(document.title)}</h2></div></div>'))
        names = _tabs_of(document)
        for name, tab in zip(names, st.tabs(names, key=f"document-tab-{document.id}"), strict=True):
            with tab, pieces.problems_shown():
                _show(client, name, document)


def _tabs_of(document: DocumentDetail) -> list[str]:
    related = document.members or document.thread or document.copies or document.similar
    there = {"Pages": document.pages, "History": document.versions, "Related": related}
    return ["About", "Passages", *(name for name, content in there.items() if content)]


def _show(client: Client, name: str, document: DocumentDetail) -> None:
    if name == "About":
        pieces.show(_facts(document))
    elif name == "Passages":
        show_passages(document.passages, document.chunk_count, document.id)
    elif name == "Pages":
        address = f"/api/documents/{segment(document.id)}"
        pictures = Pictures(address, document.title, opened=1) if document.has_images else None
        show_coverage(document.pages, document.id, pictures)
    elif name == "History":
        _show_history(client, document)
    else:
        _show_related(document)


def _facts(document: DocumentDetail) -> Html:
    return pieces.fields(
        [
            ("Source", text(document.source)),
            ("Path", text(document.path)),
            ("Author", text(document.author)),
            ("Written", text(pieces.written(document.created))),
            ("Last edited", text(pieces.written(document.modified))),
            ("You see it through", text(pieces.listed(document.groups))),
            ("Level", text(document.level)),
            ("Size", text(pieces.size(document.size_bytes))),
            ("File changed", text(pieces.moment(document.file_modified_at) if document.file_modified_at else "")),
            ("Read", text(pieces.moment(document.indexed_at))),
            ("Pages read", text(summary(document.pages))),
            ("Passages", text(f"{document.chunk_count:,}")),
            ("Copies", text(_about_copies(document))),
            ("SHA-256", pieces.code(document.sha256)),
        ]
    )


def _about_copies(document: DocumentDetail) -> str:
    """How many there are that the reader may see, and which of the files gives the name; empty where there are none."""
    if not document.copies:
        return ""
    lie = "lies" if len(document.copies) == 1 else "lie"
    there = f"{pieces.count(len(document.copies), 'file')} with the same content {lie} beside this one, under 'Related'"
    return f"{there}. {_NAMED_FOR_ALL}"


# what it said before


def _show_history(client: Client, document: DocumentDetail) -> None:
    versions = document.versions
    rows = [_version(len(versions) - at, version) for at, version in enumerate(versions)]  # newest first
    pieces.show(pieces.table(("Version", "In force", "Passages", "SHA-256"), rows))
    if len(versions) < 2:
        pieces.show(pieces.line("The document has not changed since it was taken in."))
        return
    at = st.selectbox(
        "What changed with",
        range(len(versions) - 1),
        format_func=lambda at: f"Version {len(versions) - at}",
        key=f"changes-{document.id}",
    )
    show_changes(client.changes(document.id, versions[at + 1].id, versions[at].id))


def _version(number: int, version: VersionOut) -> tuple[Html, ...]:
    since = pieces.moment(version.published_at)
    until = f"until {pieces.moment(version.superseded_at)}" if version.superseded_at else "now in force"
    return (
        text(number),
        Html(f"{text(f'since {since}')}<br>{text(until)}"),
        text(f"{version.chunk_count:,}"),
        pieces.code(version.sha256[:16]),
    )


# what belongs to it


def _show_related(document: DocumentDetail) -> None:
    _show_group("Files in it", "", document.members)
    _show_group("Mails of the same conversation", "", document.thread)
    same = f"They have the same content, and are found as this document. {_NAMED_FOR_ALL}"
    _show_group("Copies", same, document.copies, have_content=False)
    _show_group("Similar documents", "", document.similar)


def _show_group(title: str, lead: str, related: Sequence[RelatedOut], *, have_content: bool = True) -> None:
    """Documents that belong to one. Those that have no content of their own cannot be opened."""
    if not related:
        return
    pieces.show(Html(f'<h3 class="sr-small-head">{text(title)}</h3>'))
    if lead:
        pieces.show(pieces.line(lead))
    for document in related:
        key = f"{title[:6].strip().lower()}-{document.id}"  # a document may belong in two ways
        with st.container(key=f"sr-card-{key}", border=True):
            pieces.show(_related(document))
            if have_content and st.button("Open document", key=f"related-{key}"):
                st.session_state[_WAY] = [*st.session_state[_WAY], document.id]
                st.rerun(scope="fragment")


def _related(document: RelatedOut) -> Html:
    share = "" if document.resemblance is None else f"{document.resemblance:.0%} of the text in common"
    facts = pieces.dotted(document.source, document.path, share)
    return Html(f'<div class="sr-source"><div><strong>{text(document.title)}</strong><p>{text(facts)}</p></div></div>')
