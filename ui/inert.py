"""Untrusted text made showable: what a model or a document wrote becomes HTML that can do nothing.

Rules this module keeps:

1. Every leaf is escaped. The only tags are the ones written here, and none of them takes a value from the text.
2. There are no links and no images. Their Markdown stays visible as the characters it is made of.
3. Characters that hide or reorder text (control, bidirectional, zero-width, tag characters) are removed, and a pile
   of combining marks is cut, so what is read is what is there.
4. Streaming and history use the same function.
5. Everything here is pure and takes time linear in the length of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import NewType

from ui.tables import CELL_BORDER, TABLE_RULE, is_row, is_table, rows_of, table_of

Html = NewType("Html", str)
"""HTML that this package made. `show` takes nothing else, so a type checker sees text that was not escaped."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029\v\f]")
_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # control
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width, bidirectional, annotation
    "\ufe00-\ufe0d\U000e0000-\U000e0fff"  # variation selectors and tags, which can carry a hidden message
    "\U0001d173-\U0001d17a"  # musical format
    "]"
)
_PRIVATE = re.compile("[\ue000\ue001]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_JOINERS = re.compile("(?<![\u0600-\u0dff])[\u200c\u200d]|[\u200c\u200d](?![\u0600-\u0dff])")
_SELECTOR_RUN = re.compile("[\ufe0e\ufe0f]{2,}")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILE_OF_MARKS = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(\S.*)")
_ITEM = re.compile(r"(\s*)(?:([-*+\u2022])|(\d{1,9})[.)])\s+(\S.*)")
_BLOCK_PREFIX = re.compile(r"\s*+(?:#{1,6}\s+|[-*+\u2022]\s+|\d{1,9}[.)]\s+|\|\s*)?")
_MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3}){0,9})\]")
_CODE = re.compile(r"`([^`\n]+)`")
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*|(?<!\w)__(?=\S)([^_\n]+?)(?<=\S)__(?!\w)")
_ITALIC = re.compile(
    r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])|(?<![\w_])_(?=[^\s_])([^_\n]+?)(?<=\S)_(?!\w)"
)

_ADDRESS = re.compile(r"(?<=\s)\((?:https?://|ftp://|mailto:)[^\s()<>]{1,500}\)")  # put behind a link's words
_TAG_OR_SIGN = re.compile("(<[^>]*>|[\ue000\ue001])")
_OPENS, _CLOSES = "\ue000", "\ue001"
"""Stand around what `render` marks until the text is HTML. Private characters; those of the text itself are removed."""

_OPENING, _CLOSING = "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"
_NO_PROSE = f" …{_OPENING}{_CLOSING}"
_SIGN = re.compile(f"[{_OPENS}{_CLOSES}]")
_OPENS_QUOTATION = re.compile(f"{_OPENING}…?")
_ENDS_QUOTATION = re.compile(rf"…?{_CLOSING} \[\d+\]")
_OPENS_WITH_ITEM = re.compile(rf"({_OPENING})(… )?({_OPENS}?)((?:[-*+\u2022]|\d{{1,9}}[.)])\s+)(?=\S)")
_ENDS_SENTENCE = tuple(f".!?:;,…{_CLOSING}")

_MAX_DEPTH = 3


class Mark(Enum):
    """What a marked part of a text is shown as. The words that only screen readers say carry the meaning too."""

    NEAREST = ("<mark>", "</mark>")
    NOT_FOUND = ('<mark class="sr-doubt">', '<span class="sr-hidden"> (not found in the cited passages)</span></mark>')


def plain(untrusted: str) -> str:
    """The text without characters that hide, reorder or command. Line ends become a single newline."""
    text = _LINE_ENDS.sub("\n", _ANSI.sub("", untrusted))
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _HIDDEN.sub("", text))
    text = _SELECTOR_RUN.sub("", _JOINERS.sub("", text))
    return _PILE_OF_MARKS.sub(r"\1", text)


def text(untrusted: object) -> Html:
    """The text as one escaped run, its line ends kept by the style sheet."""
    return Html(html.escape(plain(str(untrusted)), quote=True))


def quoted(untrusted: str, *, is_marked: bool = False) -> Html:
    """The text of a document as `text` gives it, its rows as a table, the addresses behind words of links set apart.

    Args:
        untrusted: What stands in the document.
        is_marked: Whether all of it is marked.
    """

    def shown(part: str) -> str:
        escaped = _with_addresses_apart(text(part))
        return f"<mark>{escaped}</mark>" if is_marked and part.strip() else escaped

    lines, parts, at = plain(untrusted).split("\n"), [], 0
    while at < len(lines):
        if is_row(lines[at]):
            table, at = rows_of(lines, at, shown)
            parts.append(table)
        else:
            end = next((number for number in range(at, len(lines)) if is_row(lines[number])), len(lines))
            parts.append(shown("\n".join(lines[at:end])))
            at = end
    return Html("".join(parts))


def one_line(untrusted: str, limit: int = 120) -> str:
    """The text on one line, cut at `limit` characters with an ellipsis. Not escaped."""
    line = " ".join(plain(untrusted).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def label(untrusted: str, limit: int = 120) -> str:
    r"""The text for a Streamlit label, which is Markdown: every sign Markdown could act on is defused.

    What is chosen from a list (`st.selectbox`) is no Markdown: there the backslashes would be seen. Use `one_line`.

    A backslash stops Markdown itself. Emoji names, directives, bare addresses and arrows are found by Streamlit after
    the backslashes are gone, so an invisible sign (WORD JOINER) stands where they would have to go on.
    """
    line = _FOUND_LATER.sub("\\g<0>\N{WORD JOINER}", one_line(untrusted, limit))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)


_FOUND_LATER = re.compile(r"[:@]|\bwww(?=\.)|(?<!\S)[-<>~](?=[-=>])", re.IGNORECASE)


def render(
    untrusted: str,
    cited: Collection[int] = (),
    *,
    marked: Sequence[tuple[int, int]] = (),
    mark: Mark = Mark.NEAREST,
    rows: bool = False,
) -> Html:
    """The text as blocks: paragraphs, headings, lists, code and simple tables.

    Args:
        untrusted: What a model or a document wrote.
        cited: The numbers that are citations; `[n]` becomes a chip for these and stays text for others.
        marked: The characters (start, end) to mark, apart from each other and in order.
        mark: As what.
        rows: Whether it was read from documents. There lines of cells between bars are rows of a table (what a model
            writes may be a command with a bar in it), and a line with a number is an item only beside others that are
            counted so, else a heading or a paragraph.
    """
    return Html(_marked(_blocks(_with_signs(untrusted, marked), cited, rows), mark))


def _with_signs(untrusted: str, marked: Sequence[tuple[int, int]]) -> str:
    """The text with a sign before and after each marked part, where it changes no block."""
    parts, at, inline = [], 0, list(_runs(untrusted)) if marked else []
    for start, end in marked:
        for first, last in inline:
            opens, closes = max(start, first, at), min(end, last)
            if opens < closes:
                parts += [_PRIVATE.sub("", untrusted[at:opens]), _OPENS]
                parts += [_PRIVATE.sub("", untrusted[opens:closes]), _CLOSES]
                at = closes
    return "".join([*parts, _PRIVATE.sub("", untrusted[at:])])


def _runs(untrusted: str) -> Iterator[tuple[int, int]]:
    """Where the text of each line, or of each cell of it, begins and ends: not its bullet, its borders, or code."""
    at, fence = 0, ""
    for line in untrusted.splitlines(keepends=True):
        sign = _FENCE.match(line)
        if fence:
            fence = "" if sign and sign[1].startswith(fence) else fence
        elif sign:
            fence = sign[1]
        elif not TABLE_RULE.fullmatch(line.rstrip()):
            prefix = _BLOCK_PREFIX.match(line)
            first = at + (prefix.end() if prefix else 0)
            for cell in CELL_BORDER.split(untrusted[first : at + len(line)]):
                begins = first + len(cell) - len(cell.lstrip())
                if cell.strip():
                    yield begins, begins + len(cell.strip())
                first += len(cell) + 1
        at += len(line)


def _marked(html_with_signs: str, mark: Mark) -> str:
    """The HTML with a mark around each run of text between the signs; a mark never reaches over a tag."""
    opens, closes = mark.value
    parts, inside = [], False
    for part in _TAG_OR_SIGN.split(html_with_signs):
        if part in (_OPENS, _CLOSES):
            inside = part == _OPENS
        elif inside and part and not part.startswith("<"):
            parts.append(f"{opens}{part}{closes}")
        else:
            parts.append(part)
    return "".join(parts)


def _blocks(text: str, cited: Collection[int], rows: bool) -> str:
    lines = plain(text).replace("\t", "    ").split("\n")
    if rows:
        lines = _with_quotation_marks_at_prose(_with_quotation_marks_in_items(lines))
    blocks: list[str] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        as_row = rows and is_row(lines[at])
        block, at = rows_of(lines, at, partial(_inline, cited=cited)) if as_row else _block(lines, at, cited, rows)
        blocks.append(block)
    return f'<div class="sr-text" dir="auto">{"".join(blocks)}</div>'


def _with_quotation_marks_in_items(lines: Sequence[str]) -> list[str]:
    """The lines; where a quotation begins with an item of a list, its mark stands behind the sign of the item."""
    put: list[str] = []
    for number, line in enumerate(lines):
        opens = _OPENS_WITH_ITEM.match(line)
        if opens is None:
            put.append(line)
            continue
        opening, left_out, sign, lead = opens.groups(default="")
        item = f"{lead}{opening}{sign}{line[opens.end() :]}"
        is_item = _item([item, *lines[number + 1 : number + 2]], 0, rows=True) is not None
        put += [*filter(None, [left_out.strip()]), item] if is_item else [line]
    return put


def _with_quotation_marks_at_prose(lines: Sequence[str]) -> list[str]:
    """The lines; where a quotation begins or ends with a row, its mark stands at its prose, and nowhere if it has none.

    In a cell it would be read as part of it (behind a figure as inches), and a table is set apart anyway. Nor does a
    mark stand at the sign of what is left out before or after a row.
    """
    put: list[str] = []
    is_awaited, prose = False, -1  # an opening mark, until prose comes; the last line of prose in this quotation
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        said, above = _SIGN.sub("", line), put[-1] if put else ""
        if is_row(following) and not above.strip() and _OPENS_QUOTATION.fullmatch(said):
            put += [opened] if (opened := said.removeprefix(_OPENING)) else []
            is_awaited, prose = True, -1
        elif is_row(above) and (is_awaited or prose >= 0) and _ENDS_QUOTATION.fullmatch(said):
            put[prose] += "" if is_awaited else _CLOSING
            kept = line.replace(_CLOSING, "", 1)
            put.append(kept if said.startswith("…") else kept.replace(" ", "", 1))
            is_awaited, prose = False, -1
        else:
            is_between_rows = is_row(above) and is_row(following)
            is_prose = bool(said.strip(_NO_PROSE)) and not is_row(line) and not is_between_rows
            put.append(_OPENING + line if is_prose and is_awaited else line)
            if is_prose:
                is_awaited, prose = False, len(put) - 1
    return put


def _block(lines: Sequence[str], at: int, cited: Collection[int], rows: bool) -> tuple[str, int]:
    line = lines[at]
    if _FENCE.match(line):
        return _code_block(lines, at)
    if heading := _HEADING.match(line):
        level = min(6, len(heading[1]) + 2)  # the page's own headings stand above
        return f"<h{level}>{_inline(heading[2].rstrip(' #'), cited)}</h{level}>", at + 1
    if is_table(lines, at):
        return table_of(lines, at, partial(_inline, cited=cited))
    if _item(lines, at, rows=rows):
        return _list(lines, at, cited, rows)
    return _paragraph(lines, at, cited, rows)


def _code_block(lines: Sequence[str], at: int) -> tuple[str, int]:
    fence = _FENCE.match(lines[at])
    mark = fence[1] if fence else "```"
    end = at + 1
    while end < len(lines) and not lines[end].strip().startswith(mark):
        end += 1
    return f"<pre><code>{html.escape(chr(10).join(lines[at + 1 : end]))}</code></pre>", end + 1


def _item(lines: Sequence[str], at: int, *, rows: bool) -> re.Match[str] | None:
    """The item of a list that a line is.

    In what was read from documents a number alone tells none ("7. Incidents"): one before or after it must be the next,
    and the last of them is a heading if it ends like one and something follows.
    """
    item = _ITEM.match(lines[at])
    if item is None or not rows or item[2]:
        return item
    before, after = _number(lines, at - 1), _number(lines, at + 1)
    if after == int(item[3]) + 1:
        return item
    if before != int(item[3]) - 1:
        return None
    is_followed = at + 1 < len(lines) and bool(lines[at + 1].strip())
    is_heading = is_followed and _ends_sentence(lines[at - 1]) and not _ends_sentence(lines[at])
    return None if is_heading else item


def _number(lines: Sequence[str], at: int) -> int | None:
    """The number before a line, if there is one."""
    item = _ITEM.match(lines[at]) if 0 <= at < len(lines) else None
    return int(item[3]) if item and item[3] else None


def _ends_sentence(line: str) -> bool:
    return _SIGN.sub("", line).rstrip().endswith(_ENDS_SENTENCE)


def _list(lines: Sequence[str], at: int, cited: Collection[int], rows: bool) -> tuple[str, int]:
    """A list with up to three levels; a line that is indented and no item continues the item above."""
    parts: list[str] = []
    open_lists: list[tuple[int, str]] = []  # indentation and tag, outermost first
    while at < len(lines):
        item = _item(lines, at, rows=rows)
        if item is None:
            if _ITEM.match(lines[at]) or not lines[at].startswith(" ") or not lines[at].strip():
                break
            parts.append(f"<br>{_inline(lines[at].strip(), cited)}")
            at += 1
            continue
        indent, tag = len(item[1]), "ul" if item[2] else "ol"
        while len(open_lists) > 1 and indent < open_lists[-1][0]:
            parts.append(f"</li></{open_lists.pop()[1]}>")
        deeper = not open_lists or (indent > open_lists[-1][0] + 1 and len(open_lists) < _MAX_DEPTH)
        if deeper:
            start = f' start="{int(item[3])}"' if tag == "ol" and item[3] != "1" else ""
            parts.append(f"<{tag}{start}>")
            open_lists.append((indent, tag))
        elif len(open_lists) == 1 and tag != open_lists[0][1]:
            break  # another kind of list starts
        else:
            parts.append("</li>")
        parts.append(f"<li>{_inline(item[4], cited)}")
        at += 1
    parts += [f"</li></{tag}>" for _, tag in reversed(open_lists)]
    return "".join(parts), at


def _paragraph(lines: Sequence[str], at: int, cited: Collection[int], rows: bool) -> tuple[str, int]:
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _starts_block(lines, end, rows):
        end += 1
    return f"<p>{'<br>'.join(_inline(line.strip(), cited) for line in lines[at:end])}</p>", end


def _starts_block(lines: Sequence[str], at: int, rows: bool) -> bool:
    if rows and is_row(lines[at]):
        return True
    is_item = _item(lines, at, rows=rows) is not None
    return is_item or any(sign.match(lines[at]) for sign in (_FENCE, _HEADING)) or is_table(lines, at)


def _inline(line: str, cited: Collection[int]) -> str:
    """Code spans first: nothing inside them means anything."""
    pieces = _CODE.split(line)
    return "".join(
        f"<code>{html.escape(piece)}</code>" if odd else _emphasis(html.escape(piece), cited)
        for odd, piece in zip((n % 2 for n in range(len(pieces))), pieces, strict=True)
    )


def _emphasis(escaped: str, cited: Collection[int]) -> str:
    escaped = _BOLD.sub(lambda found: f"<strong>{found[1] or found[2]}</strong>", escaped)
    escaped = _ITALIC.sub(lambda found: f"<em>{found[1] or found[2]}</em>", escaped)
    return _with_addresses_apart(_MARKER.sub(lambda found: _chips(found, cited), escaped))


def _with_addresses_apart(escaped: str) -> str:
    """The same characters; the style sheet shows the beginning of an address, and all of it under the pointer."""
    return _ADDRESS.sub(lambda found: f'<span class="sr-address">{found[0]}</span>', escaped)


def _chips(found: re.Match[str], cited: Collection[int]) -> str:
    numbers = [int(number) for number in found[1].split(",")]
    if not all(number in cited for number in numbers):
        return found[0]
    return "".join(f'<span class="sr-chip">{number}</span>' for number in numbers)
