"""Bytes of a text of unknown encoding as text. The same bytes always give the same text, on every machine.

The order: a byte-order mark; UTF-16 and UTF-32 by where their zero bytes stand; UTF-8, if it is; the encodings of
Latin script by which letters of a language they give; the others by charset-normalizer; Windows-1252 at last.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from charset_normalizer import from_bytes

_SAMPLE_BYTES = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = (
    "äöüß",
    "éèêëàâçîïôûùüœæÿ",
    "áéíóúñüªº",
    "àèéìíòóùú",
    "ãõáâàéêíóôúüç",
    "åäöæøéü",
    "ëïéèöü",
    "þðáéíóúýæö",
)
_CENTRAL = (
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "ăâîşţșț",
    "čćđšž",
)
_TURKISH = ("çğıöşüâîûİ",)
_ALPHABETS = (("cp1252", _WESTERN), ("cp1250", _CENTRAL), ("iso8859_2", _CENTRAL), ("cp1254", _TURKISH))
_SIGNS = frozenset("«»„“”‚‘’–—…€£§°·•©®™¡¿\u00a0\u00ad")
_CERTAIN = 0.9
_OTHER_SCRIPTS = """
cp1251 koi8_r koi8_u iso8859_5 cp866 cp1125 cp855 mac_cyrillic kz1048 ptcp154 cp1253 iso8859_7 cp1255 cp1256
iso8859_6 iso8859_8 cp874 tis_620 iso8859_11 cp1258 cp932 shift_jis shift_jis_2004 shift_jisx0213 euc_jp
euc_jis_2004 euc_jisx0213 iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_3 iso2022_jp_2004 iso2022_jp_ext
iso2022_kr gb2312 gbk gb18030 hz big5 big5hkscs cp950 cp949 euc_kr johab
"""


def decoded(data: bytes) -> str:
    """The text of bytes; what cannot be read in it becomes U+FFFD."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if wide := wide_encoding(data):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8") if b"\x1b$" not in data[:_SAMPLE_BYTES] else data.decode("iso2022_jp")
    except UnicodeDecodeError as error:
        return _torn_utf_8(data, error.start) or data.decode(_guessed(data), "replace")


def wide_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32 without a byte-order mark, by the zero bytes of its Latin letters; empty if it is neither."""
    sample = data[: _SAMPLE_BYTES - _SAMPLE_BYTES % 4]
    quarter = len(sample) // 4
    zeros = [sample[place::4].count(0) for place in range(4)]
    most, few = 0.7 * quarter, 0.1 * quarter
    if quarter and min(zeros[1:]) > most and zeros[0] <= few:
        return "utf-32-le"
    if quarter and min(zeros[:3]) > most and zeros[3] <= few:
        return "utf-32-be"
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) > 0.35 * len(sample) and min(even, odd) < 0.05 * len(sample):
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _torn_utf_8(data: bytes, first_error: int) -> str:
    """UTF-8 with a few torn characters in a long text, which is damage and not another encoding; empty if it is not."""
    if first_error <= 4096 or data[:first_error].isascii():
        return ""
    text = data.decode("utf-8", "replace")
    return text if text.count("\ufffd") <= len(text) / 10_000 else ""


def _guessed(data: bytes) -> str:
    start = next(place for place, byte in enumerate(data) if byte > 127)
    sample = data[max(0, start - 1_000) : start + _SAMPLE_BYTES]
    share, latin = max(_latin(sample), key=lambda found: found[0])  # of equals the first
    if share >= _CERTAIN:
        return latin
    best = from_bytes(sample).best()
    return best.encoding if best is not None and best.encoding in _OTHER_SCRIPTS.split() else latin


def _latin(sample: bytes) -> Iterator[tuple[float, str]]:
    """How much of what is not ASCII would be letters of one language in each encoding of Latin script."""
    for encoding, alphabets in _ALPHABETS:
        text = sample.decode(encoding, "replace").lower()
        strange = [letter for letter in text if letter > "\x7f" and letter not in _SIGNS]
        shares = [sum(letter in alphabet for letter in strange) for alphabet in alphabets]
        yield (max(shares) / len(strange) if strange else 1.0, encoding)
