r"""Letters of RTF files in Unicode before a library reads them.

RTF writes letters as bytes (\'e8) of the code page of the font they are set in; pandoc takes every file to be in the
Western one, and "Článek" becomes "Èlánek". Here such bytes become \uN, which means the same everywhere.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from appliance.errors import DocumentRejected

_TOKEN = re.compile(rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]+)(-?\d{1,10})? ?|\\[^a-zA-Z]|[{}]|[^\\{}]+|\\")
_CODE_PAGES = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gbk",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp437",
}
_DEFAULT = "cp1252"
_MAX_DEPTH = 1_000
_ESCAPED = (b"\\\\", b"\\{", b"\\}")


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds until the closing brace."""

    font: int = -1
    defines_fonts: bool = False
    fallback: int = 1


@dataclass(slots=True)
class _Letters:
    """Goes through a file once; knows the code page at each place."""

    page: str = _DEFAULT
    fonts: dict[int, str] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)
    now: _Group = field(default_factory=_Group)
    default_font: int = -1
    skip: int = 0
    waiting: bytes = b""

    def rewritten(self, data: bytes) -> Iterator[bytes]:
        place = 0
        while found := _TOKEN.match(data, place):
            place = found.end()
            if found[1]:
                yield self._bytes(found[0], bytes.fromhex(found[1].decode("ascii")))
                continue
            if found[0] in _ESCAPED and self.waiting:
                yield self._letters(found[0][1:])
                continue
            if found[2] or found[0][:1] in b"\\{}":
                yield self._given_up()
                self._control(found[0], found[2] or b"", int(found[3] or b"0"))
                yield found[0]
                if found[2] == b"bin":
                    end = place + max(0, int(found[3] or b"0"))
                    yield data[place:end]
                    place = end
                continue
            yield self._text(found[0])
        yield self._given_up()

    def _control(self, token: bytes, word: bytes, value: int) -> None:
        if token == b"{":
            self.groups.append(self.now)
            if len(self.groups) > _MAX_DEPTH:
                raise DocumentRejected(f"has groups nested more than {_MAX_DEPTH:,} deep")
        elif token == b"}":
            self.now = self.groups.pop() if self.groups else _Group()
        elif word == b"u":
            self.skip = self.now.fallback
        elif word == b"uc":
            self.now = replace(self.now, fallback=min(max(value, 0), 100))
        elif word == b"ansicpg":
            self.page = _known(f"cp{value}")
        else:
            self._font(word, value)

    def _font(self, word: bytes, value: int) -> None:
        if word == b"f":
            self.now = replace(self.now, font=value)
        elif word == b"plain":
            self.now = replace(self.now, font=-1)
        elif word == b"deff":
            self.default_font = value
        elif word == b"fonttbl":
            self.now = replace(self.now, defines_fonts=True)
        elif word == b"fcharset" and self.now.defines_fonts and value in _CODE_PAGES:
            self.fonts[self.now.font] = _CODE_PAGES[value]

    def _bytes(self, token: bytes, byte: bytes) -> bytes:
        if self.skip:
            self.skip -= 1
            return token
        return self._letters(byte)

    def _text(self, text: bytes) -> bytes:
        skipped, text = text[: self.skip], text[self.skip :]
        self.skip = max(0, self.skip - len(skipped))
        if text.isascii() and not self.waiting:
            return skipped + text
        return skipped + b"".join(self._letters(bytes([byte])) for byte in text)

    def _letters(self, byte: bytes) -> bytes:
        """A byte as a letter; the first of two is kept until the second comes."""
        if byte in b"\r\n":
            return byte
        whole, self.waiting = self.waiting + byte, b""
        try:
            text = whole.decode(self._code_page())
        except UnicodeDecodeError as error:
            if error.reason.startswith("incomplete") and len(whole) == 1:
                self.waiting = whole
                return b""
            text = whole.decode(_DEFAULT, "replace")
        return b"".join(self._unicode(letter) for letter in text)

    def _given_up(self) -> bytes:
        waiting, self.waiting = self.waiting, b""
        return b"".join(self._unicode(letter) for letter in waiting.decode(_DEFAULT, "replace"))

    def _code_page(self) -> str:
        font = self.now.font if self.now.font >= 0 else self.default_font
        return self.fonts.get(font, self.page)

    def _unicode(self, letter: str) -> bytes:
        if letter in "\\{}":
            return b"\\" + letter.encode()
        if letter.isascii():
            return letter.encode()
        units = letter.encode("utf-16-le")
        numbers = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
        return b"".join(b"{\\uc1\\u%d\\'3f}" % number for number in numbers)  # readers differ in how far \\uc reaches


def _known(page: str) -> str:
    try:
        return codecs.lookup({"cp65001": "utf-8", "cp936": "gbk", "cp10000": "mac_roman"}.get(page, page)).name
    except LookupError:
        return _DEFAULT


def in_unicode(data: bytes) -> bytes:
    """The same file, with every letter that is not ASCII as a Unicode escape."""
    return b"".join(_Letters().rewritten(data))
