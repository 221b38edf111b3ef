"""The pieces pages are made of: small functions that give safe HTML, and the one function that shows it.

Text of documents, models and people reaches the page only as `Html` made by `ui.inert` or here, or through
`inert.label`. Streamlit's own Markdown (`st.markdown`, `st.caption`, `st.error`, ...) is for our own words alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import RerunException

from appliance import wording
from appliance.api.schemas.asking import PlaceOut
from ui.client import ApiProblem
from ui.inert import Html, text
from ui.part import and_back_here

Tone = Literal["quiet", "good", "warn", "bad"]

_FLASH = "strongroom_flash"
_OPENING = 70  # characters of a passage that tell it from another
_UNITS = ("bytes", "KB", "MB", "GB")


def show(html: Html, width: Literal["stretch", "content"] = "stretch") -> None:
    """Put safe HTML on the page. Streamlit's DOMPurify looks at it once more in the browser."""
    st.html(html, width=width)


def join(parts: Iterable[Html]) -> Html:
    """Safe parts, one after the other."""
    return Html("".join(parts))


def heading(title: str, lead: str = "", *, wide: bool = False) -> None:
    """The title of a page, in our own words. Pages of admins and officers are wide; those for reading are not."""
    width = " sr-wide" if wide else ""
    show(
        Html(f'<header class="sr-head{width}"><h1>{text(title)}</h1>{f"<p>{text(lead)}</p>" if lead else ""}</header>')
    )


def line(words: str, style: str = "sr-muted") -> Html:
    """One line of text."""
    return Html(f'<p class="{style}">{text(words)}</p>')


def badge(words: str, tone: Tone = "quiet") -> Html:
    """A short label with a tone; the words carry the meaning, the tone repeats it."""
    return Html(f'<span class="sr-badge sr-{tone}">{text(words)}</span>')


def badges(labels: Iterable[str]) -> Html:
    """A row of quiet badges."""
    return join(badge(words) for words in labels)


def notice(words: str, tone: Tone = "quiet") -> Html:
    """A framed message. A bad one is announced by screen readers."""
    role = "alert" if tone == "bad" else "status"
    return Html(f'<div class="sr-notice sr-{tone}" role="{role}">{text(words)}</div>')


def fields(pairs: Iterable[tuple[str, Html]]) -> Html:
    """Names with their values; a pair without a value is left out."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs if value)
    return Html(f'<dl class="sr-fields">{rows}</dl>')


def table(columns: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """A table. On a narrow screen each row becomes a small card, its cells named by their column.

    The last cell of a row that has fewer than there are columns reaches to the end.
    """
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    return Html(f'<table class="sr-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def _cells(columns: Sequence[str], row: Sequence[Html]) -> str:
    widths = [1] * (len(row) - 1) + [len(columns) - len(row) + 1]
    spans = (f' colspan="{width}"' if width > 1 else "" for width in widths)
    named = zip(columns[: len(row)], spans, row, strict=True)
    return "".join(f'<td data-label="{text(name)}"{span}>{cell}</td>' for name, span, cell in named)


def unbroken(words: str) -> Html:
    """A figure or a time, on one line."""
    return Html(f'<span class="sr-number">{text(words)}</span>')


def code(words: str) -> Html:
    """A hash or an identifier; nothing when there is none."""
    return Html(f"<code>{text(words)}</code>" if words else "")


def page_image(path: str, alt: str) -> Html:
    """A page as a picture, fetched by the reader's own browser with the reader's own session.

    `st.image` would copy the page to an address that asks for no session.
    """
    picture = f'<img class="sr-page" src="{text(path)}" alt="{text(alt)}">'
    return Html(f'<span class="sr-picture">{picture}<span class="sr-loading">Loading the page</span></span>')


def link_button(words: str, path: str, *, download: bool = False) -> Html:
    """A link to one of our own addresses that looks like a button."""
    return Html(f'<a class="sr-button" href="{text(path)}"{" download" if download else ""}>{text(words)}</a>')


def text_link(words: str, path: str, about: str, *, download: bool = False) -> Html:
    """A link to one of our own addresses in running text. `about` says more than its words do."""
    extra = " download" if download else ""
    return Html(f'<a class="sr-link" href="{text(path)}" title="{text(about)}"{extra}>{text(words)}</a>')


def dotted(*parts: str) -> str:
    """Parts on one line with dots between them; empty ones are left out."""
    return " \N{MIDDLE DOT} ".join(part for part in parts if part)


def where(place: PlaceOut) -> str:
    """Where a passage stands, for people: its page, then its headings."""
    named = place.label or (f"Page {place.page}" if place.page is not None else "")
    return dotted(named, " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(place.headings))


def opening(untrusted_text: str) -> str:
    """How a passage begins, in quotation marks on one line."""
    line = " ".join(untrusted_text.split())
    return f"“{line}”" if len(line) <= _OPENING else f"“{line[:_OPENING].rsplit(' ', 1)[0]} …”"


def moment(at: datetime | None) -> str:
    """A time as every screen, paper and command says it."""
    return wording.moment(at)


def recorded_moment(at: datetime | None) -> str:
    """The time of an entry of the log, and in words that there is none to be told: it was altered."""
    return moment(at) if at else "time not known"


def written(at: str) -> str:
    """A time that a file names, for people: the day where it names no more. What is no time stays as it is."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return at
    has_time = (found.hour, found.minute, found.second) != (0, 0, 0)
    return moment(found) if has_time and found.tzinfo else wording.day(found)


def size(size_bytes: int) -> str:
    """A size for people, in units of 1000."""
    amount, unit = float(size_bytes), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 or amount >= 10 else f"{amount:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """A length of time for people, in its two largest units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 and whole < 600 else f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def listed(names: Collection[str]) -> str:
    """Names in alphabetical order, with commas."""
    return ", ".join(sorted(names))


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def say_after_rerun(words: str, tone: Tone = "good") -> None:
    """Keep a message for the run that follows."""
    st.session_state.setdefault(_FLASH, []).append((words, tone))


def say_what_was_kept() -> None:
    """Show the messages of the run before."""
    for words, tone in st.session_state.pop(_FLASH, []):
        show(notice(words, tone))


@contextmanager
def kept_until_drawn() -> Iterator[None]:
    """Keep the messages of the run before for one more if this one is broken off: they may not have been seen.

    A browser that tells of something else right after an act begins a run anew.
    """
    kept = list(st.session_state.get(_FLASH, ()))
    try:
        yield
    except RerunException:
        new = [message for message in st.session_state.get(_FLASH, ()) if message not in kept]
        st.session_state[_FLASH] = [*kept, *new]
        raise


def draw_again() -> None:
    """Draw again the dialog in which something was done, which stays open, or the page on which it was done."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # it was done on a page
        st.rerun()


def notices() -> DeltaGenerator:
    """The place of what is to be seen however far down the page somebody is.

    It is there with nothing in it too: so what comes after keeps its place on the page, and what is open stays open.
    """
    return st.container(key="sr-notices")


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show what the API refused where that was asked, instead of failing.

    Page bodies, dialogs and fragments run inside one each. So does every part of them that asks for something of its
    own: what comes after a part that fails is still drawn.
    """
    try:
        yield
    except ApiProblem as problem:
        if problem.signed_out:
            show_signed_out()
        else:
            show(notice(problem.message, "bad"))


def show_signed_out() -> None:
    """Say that the session is over and offer the way back."""
    _show_way_in("Your session ended", "Sign in again to go on. Anything you just typed was not sent.", "Sign in again")


def show_not_signed_in() -> None:
    """Ask somebody to sign in who comes without a session, as at a first visit."""
    _show_way_in("Strongroom", "Sign in to see this page.", "Sign in")


def _show_way_in(title: str, lead: str, way: str) -> None:
    words = f"<h1>{text(title)}</h1><p>{text(lead)}</p>{link_button(way, and_back_here('/login'))}"
    show(Html(f'<div class="sr-empty sr-way-in">{words}</div>'))


def older_and_newer(key: str, next_before: int | None) -> None:
    """Two buttons to walk a list that is only known page by page; under `key` lies where its pages began."""
    earlier: list[int] = st.session_state.setdefault(key, [])
    if not earlier and next_before is None:
        return
    with st.container(horizontal=True, key=f"sr-pager-{key}"):
        if st.button("Newer", key=f"{key}-newer", disabled=not earlier):
            earlier.pop()
            st.rerun()
        if st.button("Older", key=f"{key}-older", disabled=next_before is None) and next_before is not None:
            earlier.append(next_before)
            st.rerun()


def offset(key: str, limit: int) -> int:
    """Where the page of a list begins that `pager` was last turned to."""
    return int(st.session_state.get(key, 0)) * limit


def pager(key: str, total: int, limit: int) -> None:
    """Offer the pages of a list. Where the one that is shown is gone, for the list got shorter, the last is shown."""
    last = max(0, (total - 1) // limit)
    at = int(st.session_state.get(key, 0))
    if at > last:
        st.session_state[key] = last
        st.rerun(scope="app")
    if last == 0:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"sr-pager-{key}"):
        if st.button("Previous", key=f"{key}-previous", disabled=at == 0):
            st.session_state[key] = at - 1
            st.rerun(scope="app")
        show(line(f"Page {at + 1} of {last + 1}"), "content")
        if st.button("Next", key=f"{key}-next", disabled=at == last):
            st.session_state[key] = at + 1
            st.rerun(scope="app")
