"""What kind of file this is, by its content first and its name second.

Rules this module keeps:

1. Binary formats are known by their signature and, in containers (ZIP, OLE), by their members. A binary name on other
   content is refused, except where the two are commonly mixed up and both are readable (a `.doc` that is RTF).
2. Text formats look alike, so the name decides among them; without a name, a few unmistakable openings do.
3. Containers are measured before anything opens them: members, expanded size, ratio, encryption.
4. Nothing here depends on what is installed (libmagic's answers differ from version to version): the same bytes are
   the same kind on every machine.
"""

from __future__ import annotations

import io
import re
import zipfile
from enum import StrEnum
from pathlib import PurePath

import olefile  # type: ignore[import-untyped]

from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse import archives
from ingest.parse.encodings import wide_encoding
from ingest.parse.mailbox import looks_like_mailbox
from ingest.parse.package import DAMAGE

MAX_PARTS = 10_000
MAX_EXPANDED_BYTES = 1024**3
MAX_RATIO = 200
_RATIO_FLOOR_BYTES = 20 * 1024**2  # small files may well compress 200 times


OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
EMPTY = "is empty: there is nothing in it to read"
ENCRYPTED, WRONG_PASSWORD = archives.ENCRYPTED, archives.WRONG_PASSWORD


class Format(StrEnum):
    """The formats we read; the value is the media type."""

    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    XLS = "application/vnd.ms-excel"
    DOC = "application/msword"
    PPT = "application/vnd.ms-powerpoint"
    ODT = "application/vnd.oasis.opendocument.text"
    ODS = "application/vnd.oasis.opendocument.spreadsheet"
    ODP = "application/vnd.oasis.opendocument.presentation"
    EPUB = "application/epub+zip"
    RTF = "application/rtf"
    HTML = "text/html"
    MARKDOWN = "text/markdown"
    TEXT = "text/plain"
    CSV = "text/csv"
    TSV = "text/tab-separated-values"
    EML = "message/rfc822"
    MSG = "application/vnd.ms-outlook"
    ORG = "text/org"
    RST = "text/x-rst"
    XML = "application/xml"
    JSON = "application/json"
    PNG = "image/png"
    JPEG = "image/jpeg"
    TIFF = "image/tiff"
    BMP = "image/bmp"
    GIF = "image/gif"
    WEBP = "image/webp"
    MBOX = "application/mbox"
    ZIP = "application/zip"
    TAR = "application/x-tar"  # compressed or not
    GZIP = "application/gzip"  # these three: a single compressed file
    BZIP2 = "application/x-bzip2"
    XZ = "application/x-xz"


COMPRESSED = frozenset({Format.GZIP, Format.BZIP2, Format.XZ})
CONTAINERS = COMPRESSED | {Format.MBOX, Format.ZIP, Format.TAR}
"""What has nothing to say itself; mails have, and files in them as well."""

_OFFICE = frozenset(
    {Format.DOC, Format.DOCX, Format.PPT, Format.PPTX, Format.EPUB, Format.HTML, Format.MARKDOWN}
    | {Format.ORG, Format.RST, Format.RTF}
)
IMAGES = frozenset({Format.PNG, Format.JPEG, Format.TIFF, Format.BMP, Format.GIF, Format.WEBP})
_TEXTS = frozenset(
    {Format.HTML, Format.MARKDOWN, Format.TEXT, Format.CSV, Format.TSV, Format.EML, Format.ORG, Format.RST}
    | {Format.XML, Format.JSON}
)
_BY_SUFFIX = {
    ".pdf": Format.PDF,
    ".docx": Format.DOCX,
    ".docm": Format.DOCX,
    ".dotx": Format.DOCX,
    ".dotm": Format.DOCX,
    ".pptx": Format.PPTX,
    ".pptm": Format.PPTX,
    ".ppsx": Format.PPTX,
    ".ppsm": Format.PPTX,
    ".potx": Format.PPTX,
    ".potm": Format.PPTX,
    ".xlsx": Format.XLSX,
    ".xlsm": Format.XLSX,
    ".xltx": Format.XLSX,
    ".xltm": Format.XLSX,
    ".xls": Format.XLS,
    ".xlt": Format.XLS,
    ".doc": Format.DOC,
    ".dot": Format.DOC,
    ".ppt": Format.PPT,
    ".pps": Format.PPT,
    ".pot": Format.PPT,
    ".odt": Format.ODT,
    ".ott": Format.ODT,
    ".ods": Format.ODS,
    ".ots": Format.ODS,
    ".odp": Format.ODP,
    ".otp": Format.ODP,
    ".epub": Format.EPUB,
    ".rtf": Format.RTF,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".log": Format.TEXT,
    ".vtt": Format.TEXT,
    ".srt": Format.TEXT,
    ".ics": Format.TEXT,
    ".vcf": Format.TEXT,
    ".adoc": Format.TEXT,
    ".asciidoc": Format.TEXT,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".eml": Format.EML,
    ".msg": Format.MSG,
    ".org": Format.ORG,
    ".rst": Format.RST,
    ".xml": Format.XML,
    ".json": Format.JSON,
    ".ndjson": Format.JSON,
    ".jsonl": Format.JSON,
    ".png": Format.PNG,
    ".jpg": Format.JPEG,
    ".jpeg": Format.JPEG,
    ".tif": Format.TIFF,
    ".tiff": Format.TIFF,
    ".bmp": Format.BMP,
    ".gif": Format.GIF,
    ".webp": Format.WEBP,
    ".mbox": Format.MBOX,
    ".mbx": Format.MBOX,
    ".zip": Format.ZIP,
    ".tar": Format.TAR,
    ".tgz": Format.TAR,
    ".tbz2": Format.TAR,
    ".txz": Format.TAR,
    ".gz": Format.GZIP,
    ".bz2": Format.BZIP2,
    ".xz": Format.XZ,
}

_PGP = "is encrypted with PGP, a kind that is not read; decrypt it, and put what it holds into the folder"
_CONVERT = {
    ".xlsb": "is a binary workbook, a kind that is not read; save it as .xlsx",
    ".pages": "is an Apple Pages file, a kind that is not read; export it as .docx or PDF",
    ".numbers": "is an Apple Numbers file, a kind that is not read; export it as .xlsx",
    ".key": "is an Apple Keynote file, a kind that is not read; export it as .pptx or PDF",
    **{
        suffix: f"is a {suffix} archive, a kind that is not opened; pack it as .zip or unpack it into the folder"
        for suffix in (".7z", ".rar", ".zst", ".lz", ".lzma", ".z", ".cab", ".arj")
    },
    ".p7m": "is an encrypted or signed message (S/MIME), a kind that is not read; export what it holds from the mail "
    "program",
    ".p7s": "is a digital signature, a kind that is not read; there is no text in it",
    ".gpg": _PGP,
    ".pgp": _PGP,
    ".pst": "is an Outlook data file, a kind that is not opened; export its mails as .eml or .msg",
    ".ost": "is an Outlook data file, a kind that is not opened; export its mails as .eml or .msg",
}
_SIGNATURES = (
    (b"{\\rtf", Format.RTF),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"\xff\xd8\xff", Format.JPEG),
    (b"II*\0", Format.TIFF),
    (b"MM\0*", Format.TIFF),
    (b"BM", Format.BMP),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"\x1f\x8b", Format.GZIP),
    (b"BZh", Format.BZIP2),
    (b"\xfd7zXZ\0", Format.XZ),
)
_REFUSED = (
    (b"7z\xbc\xaf\x27\x1c", _CONVERT[".7z"]),
    (b"Rar!\x1a\x07", _CONVERT[".rar"]),
    (b"!BDN", _CONVERT[".pst"]),
)
_DECLARED = (Format.ODT, Format.ODS, Format.ODP, Format.EPUB)
_OLE_STREAMS = (
    ("__properties_version1.0", Format.MSG),
    ("workbook", Format.XLS),
    ("book", Format.XLS),
    ("worddocument", Format.DOC),
    ("powerpoint document", Format.PPT),
)
_ZIPPED = {Format.DOCX, Format.PPTX, Format.XLSX, Format.ODT, Format.ODS, Format.ODP, Format.EPUB}
_MIXED_UP = {
    ".doc": {Format.DOCX, Format.RTF, Format.HTML},
    ".dot": {Format.DOCX, Format.RTF},
    ".xls": {Format.XLSX, Format.HTML},
    ".xlsx": {Format.XLS},
    ".docx": {Format.DOC},
    ".pptx": {Format.PPT},
    ".ppt": {Format.PPTX},
    ".zip": _ZIPPED,
    **{suffix: {Format.TAR, *COMPRESSED} for suffix in (".gz", ".bz2", ".xz", ".tar", ".tgz", ".tbz2", ".txz")},
}
_OOXML = (("word/", Format.DOCX), ("ppt/", Format.PPTX), ("xl/", Format.XLSX))
_HEADER_LINE = re.compile(rb"(?im)^(from|to|date|subject|received|message-id|mime-version|return-path|x-[a-z-]+): ?")


def detect(data: bytes, name: str) -> Format:
    """The format of a file.

    Raises:
        DocumentEmpty: There is nothing in it, or nothing but blanks.
        DocumentUnreadable: It is a damaged container, or it is not what its name says.
        DocumentNeedsPassword: It is an encrypted container.
        DocumentRejected: Files of this kind are not read, or it would expand beyond the limits.
    """
    if not data or data.isspace():
        raise DocumentEmpty(EMPTY)
    suffix = PurePath(name.lower()).suffix
    by_content = _binary_format(data, suffix)
    by_name = _BY_SUFFIX.get(suffix)
    if by_content is None:
        return _text_format(data, suffix, by_name)
    if by_name is None and suffix in _CONVERT and by_content in _MIXED_UP.get(suffix, set()):
        return by_content
    if by_name in (None, by_content) or by_content in _MIXED_UP.get(suffix, set()):
        return by_content
    if by_name in IMAGES and by_content in IMAGES:
        return by_content
    raise DocumentRejected(f"is named {suffix} but holds {by_content.value}; rename it if that is what it is")


def office_by_name(name: str) -> bool:
    """Whether a file of this name takes the office parsers, unless it holds something else than its name says."""
    return _BY_SUFFIX.get(PurePath(name.lower()).suffix) in _OFFICE


def refusal_by_name(name: str) -> str:
    """Why a file of this name is not read, unless it holds something else than its name says; empty if it may be."""
    suffix = PurePath(name.lower()).suffix
    if suffix in _CONVERT:
        return _CONVERT[suffix]
    return _unknown(suffix) if suffix and suffix not in _BY_SUFFIX else ""


def _unknown(suffix: str) -> str:
    return f"ends in '{suffix}'; files of this kind are not supported"


def _binary_format(data: bytes, suffix: str) -> Format | None:
    if data.startswith(b"%PDF-"):
        return Format.PDF
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return _zip_format(data, suffix)
    if data[:8] == OLE_SIGNATURE:
        return _ole_format(data)
    for signature, advice in _REFUSED:
        if data.startswith(signature):
            raise DocumentRejected(advice)
    if kind := _signed_format(data):
        return Format.TAR if kind in COMPRESSED and archives.looks_like_tar(data) else kind
    if _is_tar(data, suffix):
        return Format.TAR
    # junk before a PDF is common, and so are texts, mails and archives that have one near their beginning
    return Format.PDF if b"%PDF-" in data[:1024] and _BY_SUFFIX.get(suffix) in (None, Format.PDF) else None


def _signed_format(data: bytes) -> Format | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    for signature, kind in _SIGNATURES:
        if data.startswith(signature) and (kind is not Format.BMP or data[6:10] == bytes(4)):
            return kind
    return None


def _is_tar(data: bytes, suffix: str) -> bool:
    named, empty = suffix == ".tar", not any(data[:512])
    return (named and empty) or ((named or data[257:262] == b"ustar") and archives.looks_like_tar(data))


def _zip_format(data: bytes, suffix: str) -> Format:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            kind = _members_format(archive, members)
    except (*DAMAGE, RuntimeError) as error:
        raise DocumentUnreadable("is damaged: its ZIP container cannot be opened") from error
    if len(members) > MAX_PARTS:
        raise DocumentRejected(f"has {len(members):,} parts; the limit is {MAX_PARTS:,}")
    expanded = sum(member.file_size for member in members)
    if expanded > MAX_EXPANDED_BYTES or expanded > max(_RATIO_FLOOR_BYTES, MAX_RATIO * len(data)):
        raise DocumentRejected(f"would expand from {len(data):,} to {expanded:,} bytes, which looks like a ZIP bomb")
    if kind is None:
        return _plain_zip(suffix)
    if any(member.flag_bits & 1 for member in members):
        raise DocumentNeedsPassword(ENCRYPTED)
    return kind


def _plain_zip(suffix: str) -> Format:
    """A ZIP that is not the container of a known format: an archive, if its name does not say otherwise."""
    if suffix in _CONVERT:
        raise DocumentRejected(_CONVERT[suffix])
    if suffix and suffix not in _BY_SUFFIX:
        raise DocumentRejected(_unknown(suffix))
    return Format.ZIP


def _members_format(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Format | None:
    names = {member.filename for member in members}
    if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
        declared = archive.read("mimetype").decode("ascii", "replace").strip().removesuffix("-template")
        if "META-INF/manifest.xml" in names and declared.startswith("application/vnd.oasis"):
            with archive.open("META-INF/manifest.xml") as manifest:
                if b"encryption-data" in manifest.read(1024**2):
                    raise DocumentNeedsPassword(ENCRYPTED)
        return next((kind for kind in _DECLARED if kind.value == declared), None)
    if "[Content_Types].xml" in names:
        if "xl/workbook.bin" in names:
            raise DocumentRejected(_CONVERT[".xlsb"])
        return next((kind for prefix, kind in _OOXML if any(name.startswith(prefix) for name in names)), None)
    return None


def _ole_format(data: bytes) -> Format:
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            streams = {"/".join(path).lower() for path in ole.listdir()}
    except DAMAGE as error:
        raise DocumentUnreadable("is damaged: its OLE container cannot be opened") from error
    if streams & {"encryptedpackage", "encryptioninfo"}:
        raise DocumentNeedsPassword(ENCRYPTED)
    for stream, kind in _OLE_STREAMS:
        if stream in streams:
            return kind
    raise DocumentRejected("is an OLE file of an unknown kind; files of this kind are not supported")


def _text_format(data: bytes, suffix: str, by_name: Format | None) -> Format:
    """The format of what has no binary signature."""
    opening = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    looks = _looks_like(opening)
    if looks is Format.MBOX and by_name in (None, Format.MBOX):
        return looks
    if suffix in _CONVERT and looks not in _MIXED_UP.get(suffix, set()):
        raise DocumentRejected(_CONVERT[suffix])
    if by_name is not None and by_name not in _TEXTS:
        if looks is not None and looks in _MIXED_UP.get(suffix, set()):
            return looks
        raise DocumentUnreadable(f"is damaged, or not the {suffix} file its name says")
    if not is_text(data):
        raise DocumentRejected("holds neither text nor a known format; files of this kind are not supported")
    if by_name is not None:
        return by_name
    if looks is not None:
        return looks
    if suffix:
        raise DocumentRejected(_unknown(suffix))
    return Format.TEXT


def _looks_like(opening: bytes) -> Format | None:
    lowered = opening[:1024].lower()
    if looks_like_mailbox(opening):
        return Format.MBOX
    if lowered.startswith((b"<!doctype html", b"<html")) or b"<html" in lowered:
        return Format.HTML
    if lowered.startswith(b"<?xml"):
        return Format.XML
    head = opening.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
    names = {match.group(1).lower() for match in _HEADER_LINE.finditer(head)}
    if len(names) >= 3 and _HEADER_LINE.match(head):
        return Format.EML
    return None


def is_text(data: bytes) -> bool:
    """Whether bytes are text in some encoding: few controls, and no zero bytes but those of UTF-16 and UTF-32."""
    sample = data[:65536]
    if sample.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    if 0 in sample:
        return bool(wide_encoding(sample))
    controls = sum(sample.count(code) for code in range(32) if code not in (7, 8, 9, 10, 12, 13, 27))
    return controls <= len(sample) * 0.02
