"""What parsing gives, and the strict form in which it crosses the process boundary.

Rules this module keeps:

1. What comes out of a worker is untrusted: every type, size and range is checked before a value is built.
2. Text is clean (`clean_text`): normal form NFKC, no control, bidi, zero-width, tag or soft-hyphen characters, no lone
   surrogates. It is cleaned on both sides of the boundary; the second time because the worker may be taken over.
3. Boxes are fractions of the page as it is shown (after rotation), origin top left.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any, TypeVar

from appliance.domain import Box, DocumentFacts, PageCoverage, TextMeans

PARSER_VERSION = "5"
"""Part of every version id: raise it when the same bytes would give other elements; documents are then read again."""

MAX_TEXT = 1_000_000
MAX_LABEL = 300
MAX_REASON = 300
MAX_ELEMENTS = 2_000_000
MAX_BOXES = 5_000
MAX_PAGES = 200_000
MAX_MEMBERS = 100_000  # a large mailbox; archives and documents have a lower limit of their own
MAX_MEMBER_PATH = 1_000
MAX_LEVEL = 9
MAX_HEADING = 300

Facts = DocumentFacts

_E = TypeVar("_E", bound=StrEnum)


class ElementKind(StrEnum):
    """What a piece of a document is."""

    HEADING = "heading"
    TEXT = "text"
    LIST_ITEM = "list_item"
    TABLE = "table"  # one row per line, cells separated by " | "
    CODE = "code"
    HEADER = "header"  # repeated at the head of pages
    FOOTER = "footer"


@dataclass(frozen=True, slots=True)
class Element:
    """A paragraph, heading, list item, table or the like, in reading order.

    `page` counts from 1 (page, slide or sheet), `label` is its name for people, `level` is the depth of a heading
    (1 is the highest) and 0 for everything else. There is one box per line where the format has places.
    """

    kind: ElementKind
    text: str
    page: int | None = None
    label: str = ""
    boxes: tuple[Box, ...] = ()
    level: int = 0


def ranked(element: Element) -> Element:
    """The element as it counts: a heading of more than `MAX_HEADING` characters is a text, since every chunk below it
    would repeat it."""
    if not element.level or len(element.text) <= MAX_HEADING:
        return element
    return replace(element, kind=ElementKind.TEXT, level=0)


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document as read. `sha256` and `size_bytes` are those of the bytes the parser was given.

    `language` is a two-letter code, empty when unsure. `members` are the files in it (in an archive or a mailbox,
    attached to a mail or a PDF, embedded in an Office file) and the files in those; they are documents of their own. A
    mailbox or an archive has no elements; any other document without them gave no text, and is there for its members.
    """

    title: str
    media_type: str
    language: str
    elements: tuple[Element, ...]
    pages: tuple[PageCoverage, ...] = ()
    members: tuple[Member, ...] = ()
    facts: Facts = NO_FACTS
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A file in another one: its path there (with forward slashes, unique), and what it says or why it is not read.

    `path` goes through files in files: "mail.eml/plan.pdf". `code` is that of the error class, and `reason`
    a predicate ("is encrypted; ..."), both empty when it was read.
    """

    path: str
    parsed: Parsed | None = None
    code: str = ""
    reason: str = ""


class InvalidResult(ValueError):
    """A worker sent something that is no result."""


# Controls (but tab and newline), soft hyphen, Arabic letter mark and other format characters, zero-width and bidi
# controls, variation selectors, noncharacters and the tag block: what no reader sees and an attacker hides in.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ufdd0-\ufdef\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile("[^\\S\n]+")
_POWER = re.compile("(?<=\\d)([\u00b2\u00b3\u00b9\u2070\u2074-\u2079]+)")
_FRACTION = re.compile("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215e])")


def clean_text(untrusted_text: str) -> str:
    """The text as a reader would see it, in NFKC, with blanks collapsed and lines kept.

    NFKC alone would turn "10²" into "102" and "1½" into "11/2"; these become "10^2" and "1 1/2".
    """
    text = untrusted_text
    if not text.isascii():
        text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text))
        text = _FRACTION.sub(" ", _POWER.sub(r"^\1", text))
        text = unicodedata.normalize("NFKC", text).replace("\u2044", "/")
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text).replace("\x0b", "\n"))
    return "\n".join(line.strip() for line in _BLANKS.sub(" ", text).split("\n")).strip("\n")


def clean_line(untrusted_text: str, limit: int = MAX_LABEL) -> str:
    """The text on one line, at most `limit` characters: for names, labels and reasons."""
    return " ".join(clean_text(untrusted_text[: limit * 4]).split())[:limit]


def clean_name(untrusted_name: str) -> str:
    """A file name for people: its last part, on one line."""
    line = clean_line(untrusted_name, 4 * MAX_LABEL).replace("\\", "/")  # cleaned first: NFKC makes slashes of others
    return PurePath(line).name[:MAX_LABEL].strip() or "unnamed"


def to_json(parsed: Parsed) -> bytes:
    """The result as one JSON text in UTF-8."""
    value = _values(parsed) | {"members": [_member_values(member) for member in parsed.members]}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _values(parsed: Parsed) -> dict[str, Any]:
    facts = parsed.facts
    return {
        "title": parsed.title,
        "media_type": parsed.media_type,
        "language": parsed.language,
        "elements": [
            [e.kind.value, e.text, e.page, e.label, [_box_values(b) for b in e.boxes], e.level] for e in parsed.elements
        ],
        "pages": [[p.page, p.means.value, p.characters, p.reason, p.confidence] for p in parsed.pages],
        "facts": [facts.author, facts.created, facts.modified, facts.thread],
    }


def _member_values(member: Member) -> list[Any]:
    inner = member.parsed
    read = None if inner is None else _values(inner) | {"sha256": inner.sha256, "size_bytes": inner.size_bytes}
    return [member.path, read, member.code, member.reason]


def from_json(untrusted_json: bytes) -> Parsed:
    """The result a worker sent.

    Raises:
        InvalidResult: It is not exactly what `to_json` makes, or a value is out of range.
    """
    try:
        value = json.loads(untrusted_json.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidResult("not JSON") from error
    parsed = _parsed(value, {"members"})
    members = tuple(_member(row) for row in _rows(value["members"], 4, MAX_MEMBERS))
    if len({member.path for member in members}) != len(members):
        raise InvalidResult("two members of one path")
    return replace(parsed, members=members)


_KEYS = {"title", "media_type", "language", "elements", "pages", "facts"}


def _parsed(value: object, more: set[str]) -> Parsed:
    if not isinstance(value, dict) or set(value) != _KEYS | more:
        raise InvalidResult("wrong keys")
    return Parsed(
        title=clean_line(_text(value["title"], 4 * MAX_LABEL)),
        media_type=_matching(value["media_type"], r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,100}"),
        language=_matching(value["language"], r"([a-z]{2})?"),
        elements=tuple(_element(item) for item in _rows(value["elements"], 6, MAX_ELEMENTS)),
        pages=tuple(_coverage(item) for item in _rows(value["pages"], 5, MAX_PAGES)),
        facts=_facts(value["facts"]),
    )


def _facts(value: object) -> Facts:
    (row,) = _rows([value], 4, 1)
    author, created, modified, thread = (clean_line(_text(item, 4 * MAX_LABEL)) for item in row)
    return Facts(author, _date(created), _date(modified), thread)


def _date(text: str) -> str:
    return _matching(text, r"(\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?)?)?)?")


def _member(row: list[Any]) -> Member:
    path, inner, code, reason = row
    parsed = None
    if inner is not None:
        parsed = _parsed(inner, {"sha256", "size_bytes"})
        digest, size = _matching(inner["sha256"], "[0-9a-f]{64}"), _int(inner["size_bytes"], 0, 2**62)
        parsed = replace(parsed, sha256=digest, size_bytes=size)
    return Member(
        path=_member_path(_text(path, MAX_MEMBER_PATH)),
        parsed=parsed,
        code=_matching(code, "[a-z_]{0,40}"),
        reason=clean_line(_text(reason, 4 * MAX_REASON), MAX_REASON),
    )


def _member_path(untrusted_path: str) -> str:
    """A path that leads nowhere: it only names, but somebody may show or join it one day."""
    parts = untrusted_path.split("/")
    if not all(part == clean_name(part) and part not in (".", "..") for part in parts):
        raise InvalidResult("a member path that is not clean")
    return untrusted_path


def _element(row: list[Any]) -> Element:
    kind, text, page, label, boxes, level = row
    return ranked(
        Element(
            kind=_enum(ElementKind, kind),
            text=clean_text(_text(text, MAX_TEXT)),
            page=None if page is None else _int(page, 1, MAX_PAGES),
            label=clean_line(_text(label, 4 * MAX_LABEL)),
            boxes=tuple(_box(item) for item in _rows(boxes, 5, MAX_BOXES)),
            level=_int(level, 0, MAX_LEVEL),
        )
    )


def _coverage(row: list[Any]) -> PageCoverage:
    page, means, characters, reason, confidence = row
    return PageCoverage(
        page=_int(page, 1, MAX_PAGES),
        means=_enum(TextMeans, means),
        characters=_int(characters, 0, 2**31),
        reason=clean_line(_text(reason, 4 * MAX_REASON), MAX_REASON),
        confidence=None if confidence is None else _share(confidence),
    )


def _share(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:  # type: ignore[operator]
        raise InvalidResult("not a share")
    return float(value)  # type: ignore[arg-type]


def _box_values(box: Box) -> list[float]:
    return [box.page, *(round(value, 5) for value in (box.left, box.top, box.right, box.bottom))]


def _box(row: list[Any]) -> Box:
    page, *edges = row
    for edge in edges:
        if type(edge) not in (int, float) or not math.isfinite(edge) or not 0 <= edge <= 1:
            raise InvalidResult("a box outside its page")
    left, top, right, bottom = (float(edge) for edge in edges)
    if left > right or top > bottom:
        raise InvalidResult("a box inside out")
    return Box(_int(page, 1, MAX_PAGES), left, top, right, bottom)


def box_on_page(page: int, left: float, top: float, right: float, bottom: float) -> Box | None:
    """The part of a rectangle (in fractions) that lies on the page; None if nothing does."""
    left, top, right, bottom = max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom)
    return Box(page, left, top, right, bottom) if left < right and top < bottom else None


def _rows(value: object, width: int, limit: int) -> Iterable[list[Any]]:
    if not isinstance(value, list) or len(value) > limit:
        raise InvalidResult("not a list, or too long")
    for item in value:
        if not isinstance(item, list) or len(item) != width:
            raise InvalidResult("a row of the wrong shape")
        yield item


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise InvalidResult("not a text, or too long")
    return value


def _matching(value: object, pattern: str) -> str:
    text = _text(value, 200)
    if not re.fullmatch(pattern, text):
        raise InvalidResult("a code of the wrong form")
    return text


def _int(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise InvalidResult("not a number in range")
    return value


def _enum(kind: type[_E], value: object) -> _E:
    try:
        return kind(_text(value, 40))
    except ValueError as error:
        raise InvalidResult("an unknown kind") from error
