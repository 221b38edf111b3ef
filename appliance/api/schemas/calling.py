"""How the API is called, for whoever calls it over HTTP: the screens and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from appliance.api.schemas.asking import AnswerOut, AskEvent, PassagesOut, StartedOut, TokenOut
from appliance.api.schemas.shapes import Problem

AskPart = StartedOut | PassagesOut | TokenOut | AnswerOut

_PARTS: Mapping[str, type[AskPart | Problem]] = {
    AskEvent.STARTED: StartedOut,
    AskEvent.PASSAGES: PassagesOut,
    AskEvent.TOKEN: TokenOut,
    AskEvent.ANSWER: AnswerOut,
    AskEvent.ERROR: Problem,
}


def segment(identifier: str) -> str:
    """An identifier as one segment of a path; dots too. A server may take a quoted slash for a slash all the same."""
    return quote(identifier, safe="").replace(".", "%2E")


def ask_parts(chunks: Iterable[bytes]) -> Iterator[AskPart | Problem]:
    """The parts of an answer as its bytes arrive; events of another name are passed over.

    Raises:
        pydantic.ValidationError: An event does not hold what its name says.
    """
    for event, data in _events(_lines(chunks)):
        if event in _PARTS:
            yield _PARTS[event].model_validate_json(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines that end in a newline. httpx's own also end at U+2028 and U+0085, which JSON may hold unescaped."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def _events(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Event names with their data (WHATWG HTML, server-sent events; identifiers and retry are not used)."""
    event, data = "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield event, "\n".join(data)
            event, data = "", []
            continue
        field, _, value = line.partition(":")
        if field == "event":
            event = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
