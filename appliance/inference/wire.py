"""Text and messages on their way to a model and back: always valid Unicode."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

from appliance.inference.port import Message


def valid_text(text: str) -> str:
    """`text` with a question mark for each lone surrogate. Broken PDFs yield them, and they cannot be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def wire_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages as every chat API wants them."""
    return [{"role": message.role.value, "content": valid_text(message.content)} for message in messages]


class Ending:
    """The pieces of an answer, and once they have ended, whether the answer `is_cut`: what their generator returned."""

    def __init__(self, pieces: Generator[str, None, bool]) -> None:
        self._pieces = pieces
        self.is_cut = False

    def __iter__(self) -> Iterator[str]:
        try:
            while True:
                yield next(self._pieces)
        except StopIteration as end:
            self.is_cut = end.value is True


def whole_characters(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of an answer with halves of characters joined; a half without its other half becomes U+FFFD.

    JSON escapes a character beyond U+FFFF as two surrogates, and a server may send them in two pieces.
    """
    held = ""
    for piece in pieces:
        text = held + piece
        held = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        yield _joined(text.removesuffix(held) if held else text)
    if held:
        yield _joined(held)


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
