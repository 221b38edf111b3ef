"""Hostile files, generated: bombs, loops, lies and hiding places, each with the verdict it must get.

Rules this module keeps:

1. Nothing here is a file of somebody else's; each is built from the format's rules, so that its size can be chosen.
2. A file that is read says so by words it must give (`gives`) and words it must not (`hides`).
3. `slow` files take seconds to build or to read; the others are the sample of the normal run.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

VISIBLE = "The visible words of this document are about quarterly limits."
SECRET = "root:x:0"  # what /etc/passwd would say
ADDRESS = "http://203.0.113.7/tracker"


class Verdict(StrEnum):
    """How a file must end."""

    READ = "read"
    REFUSED = "refused"
    FAILED = "failed"
    EMPTY = "empty"
    BROKEN = "broken"  # failed too: the parser was stopped
    PASSWORD = "needs password"
    EITHER = "refused or failed"
    ANY = "any of these, with a reason"


@dataclass(frozen=True)
class Hostile:
    """A file, and how it must end: a pattern that the reason, or the text, must match."""

    name: str
    make: Callable[[], bytes]
    verdict: Verdict
    gives: str = ""
    hides: str = ""
    slow: bool = False


# --- containers -----------------------------------------------------------------------------------------------------

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument."


def packed(parts: dict[str, str | bytes], *, stored: Iterable[str] = ()) -> bytes:
    """A ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            kind = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, compress_type=kind)
    return out.getvalue()


def _office(main: str, kind: str, parts: dict[str, str | bytes], relations: str = "") -> dict[str, str | bytes]:
    folder, _, file = main.rpartition("/")
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="{_TYPES}{kind}.main+xml"/>'
        + (
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}spreadsheetml.worksheet+xml"/>'
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPES}spreadsheetml.sharedStrings+xml"/>'
            if folder == "xl"
            else ""
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_REL}/officeDocument" Target="{main}"/></Relationships>',
        f"{folder}/_rels/{file}.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>',
        **parts,
    }


def word(body: str = "", *, before: str = "", relations: str = "", more: dict[str, str | bytes] | None = None) -> bytes:
    """A Word document of one paragraph and `body`."""
    text = (
        f'<?xml version="1.0"?>{before}<w:document {_W} {_R}><w:body><w:p><w:r><w:t>{VISIBLE}</w:t></w:r></w:p>'
        f"{body}</w:body></w:document>"
    )
    parts: dict[str, str | bytes] = {"word/document.xml": text, **(more or {})}
    return packed(_office("word/document.xml", "wordprocessingml.document", parts, relations))


def workbook(rows: str, *, strings: str = "", before: str = "", dimension: str = "A1") -> bytes:
    """A workbook of one sheet."""
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f'<workbook {_S} {_R}><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet {_S}><dimension ref="{dimension}"/><sheetData>{rows}</sheetData>'
        "</worksheet>",
        "xl/sharedStrings.xml": f"<?xml version='1.0'?>{before}<sst {_S}>{strings}</sst>",
    }
    relations = (
        f'<Relationship Id="r1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_REL}/sharedStrings" Target="sharedStrings.xml"/>'
    )
    return packed(_office("xl/workbook.xml", "spreadsheetml.sheet", parts, relations))


def _cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def bomb(kind: str, megabytes: int = 300) -> bytes:
    """An Office, ODT or EPUB file whose main part expands a thousand times."""
    main = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}.get(kind)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if main:
            archive.writestr("[Content_Types].xml", "<Types/>")
        else:
            declared = "application/epub+zip" if kind == "epub" else "application/vnd.oasis.opendocument.text"
            archive.writestr("mimetype", declared, compress_type=zipfile.ZIP_STORED)
        with archive.open(main or "content.xml", "w", force_zip64=True) as part:
            for _ in range(megabytes):
                part.write(b" " * 1024**2)
    return out.getvalue()


def overlapping() -> bytes:
    """A thousand names for the same megabytes (no entry lies, and no ratio is remarkable but that of the whole)."""
    data = bytearray(packed({"[Content_Types].xml": "<Types/>", "word/document.xml": bytes(10 * 1024**2)}))
    start = data.rindex(b"PK\x01\x02")
    entry, end = bytes(data[start : data.rindex(b"PK\x05\x06")]), bytes(data[data.rindex(b"PK\x05\x06") :])
    first = data.index(b"PK\x01\x02")
    entries = b"".join(entry.replace(b"word/document.xml", b"word/docu%04d.xml" % n) for n in range(1000))
    directory = bytes(data[first:start]) + entry + entries
    fields = list(struct.unpack("<4s4H2LH", end[:22]))
    fields[3] = fields[4] = 1002
    fields[5] = len(directory)
    return bytes(data[:first]) + directory + struct.pack("<4s4H2LH", *fields)


def lying_sizes() -> bytes:
    """The directory says one kilobyte where three hundred megabytes come."""
    data = bytearray(bomb("docx"))
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, place + 24, 1024)
    return bytes(data)


def encrypted_zip() -> bytes:
    data = bytearray(word())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


def _laughs(levels: int = 12) -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, levels))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]>'


_XXE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
_EXTERNAL = 'TargetMode="External"'


def _relation(kind: str, target: str, more: str = _EXTERNAL) -> str:
    return f'<Relationship Id="x1" Type="{_REL}/{kind}" Target="{target}" {more}/>'


def many_parts() -> bytes:
    return packed({"[Content_Types].xml": "<Types/>", **{f"word/{n}.xml": "" for n in range(10_001)}})


def open_document(body: str, *, before: str = "") -> bytes:
    """An ODT file of one paragraph and `body`."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    names = (
        f'xmlns:office="{office}:office:1.0" xmlns:text="{office}:text:1.0" xmlns:draw="{office}:drawing:1.0" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"'
    )
    content = (
        f'<?xml version="1.0"?>{before}<office:document-content {names}><office:body><office:text>'
        f"<text:p>{VISIBLE}</text:p>{body}</office:text></office:body></office:document-content>"
    )
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    styles = f"<office:document-styles {names}/>"
    parts: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": content,
        "styles.xml": styles,
        "META-INF/manifest.xml": manifest,
    }
    return packed(parts, stored=["mimetype"])


def book(chapter: str, *, more: dict[str, str | bytes] | None = None, before: str = "", item: str = "c.xhtml") -> bytes:
    """An EPUB of one chapter."""
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "a.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata/><manifest>'
        f'<item id="c" href="{item}" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c"/></spine></package>',
        "c.xhtml": f'{before}<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{VISIBLE}</p>{chapter}</body></html>',
        **(more or {}),
    }
    return packed(parts, stored=["mimetype"])


# --- PDF ------------------------------------------------------------------------------------------------------------


def stream(content: bytes, more: str = "") -> bytes:
    """A compressed PDF stream."""
    data = zlib.compress(content, 9)
    head = f"<< /Length {len(data)} /Filter /FlateDecode {more} >>\nstream\n".encode()
    return head + data + b"\nendstream"


def pdf(objects: dict[int, str | bytes], *, trailer: str = "") -> bytes:
    """A PDF of numbered objects; number 1 is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), {}
    for number, content in objects.items():
        places[number] = len(out)
        body = content.encode("latin-1") if isinstance(content, str) else content
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(out)
    size = max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 %c \n" % (places.get(number, 0), b"n" if number in places else b"f")
    out += f"trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


_FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
_SHOW = f"BT /F1 12 Tf 60 700 Td ({VISIBLE}) Tj ET\n"


def one_page(
    content: bytes | str = "",
    *,
    box: str = "0 0 600 800",
    objects: dict[int, str | bytes] | None = None,
    resources: str = "",
    page: str = "",
    catalog: str = "",
) -> bytes:
    """A PDF of one page with the visible words and `content`."""
    drawn = _SHOW.encode() + (content.encode("latin-1") if isinstance(content, str) else content)
    return pdf(
        {
            1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
            2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 4 0 R "
            f"/Resources << /Font << /F1 5 0 R >> {resources} >> {page} >>",
            4: stream(drawn),
            5: _FONT,
            **(objects or {}),
        }
    )


def many_pages(count: int) -> bytes:
    """A book whose pages all show the same stream."""
    kids = " ".join(f"{number} 0 R" for number in range(10, 10 + count))
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
    )
    return pdf(
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
            4: stream(_SHOW.encode()),
            5: _FONT,
            **dict.fromkeys(range(10, 10 + count), page),
        }
    )


def page_tree(kids: str, count: int) -> bytes:
    """A page tree that says what it likes."""
    return pdf(
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
            3: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            "/Resources << /Font << /F1 5 0 R >> >> >>",
            4: stream(_SHOW.encode()),
            5: _FONT,
        }
    )


def forms(levels: int, each: int) -> bytes:
    """Forms that draw forms: `each` to the power of `levels` in all."""
    objects: dict[int, str | bytes] = {}
    for level in range(levels):
        inner = f"/Resources << /XObject << /X {11 + level} 0 R >> >>" if level + 1 < levels else ""
        what = b"/X Do\n" * each if level + 1 < levels else b"0 0 1 1 re f\n"
        objects[10 + level] = stream(what, f"/Type /XObject /Subtype /Form /BBox [0 0 600 800] {inner}")
    return one_page(b"/X Do\n" * each, objects=objects, resources="/XObject << /X 10 0 R >>")


def self_drawing() -> bytes:
    form = stream(b"/X Do\n", "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 10 0 R >> >>")
    return one_page("/X Do\n", objects={10: form}, resources="/XObject << /X 10 0 R >>")


def object_stream_bomb(megabytes: int) -> bytes:
    """Objects in a stream that expands a thousand times."""
    packed_objects = stream(b"10 0 " + b" " * megabytes * 1024**2 + b"<< >>", "/Type /ObjStm /N 1 /First 5")
    table = struct.pack(">BIB", 2, 9, 0)
    data = pdf(
        {1: "<< /Type /Catalog /Pages 2 0 R >>", 2: "<< /Type /Pages /Kids [10 0 R] /Count 1 >>", 9: packed_objects}
    )
    place = data.index(b"9 0 obj")
    rows = {
        0: struct.pack(">BIB", 0, 0, 255),
        1: struct.pack(">BIB", 1, data.index(b"1 0 obj"), 0),
        2: struct.pack(">BIB", 1, data.index(b"2 0 obj"), 0),
        9: struct.pack(">BIB", 1, place, 0),
        10: table,
    }
    body = data[: data.index(b"xref\n")]
    index = "/Index [0 3 9 2]"
    cross = stream(b"".join(rows.values()), f"/Type /XRef /Size 11 /W [1 4 1] {index} /Root 1 0 R")
    return body + b"12 0 obj\n" + cross + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(body)


def annotations(count: int) -> bytes:
    notes = {10 + n: "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] >>" for n in range(count)}
    listed = " ".join(f"{number} 0 R" for number in notes)
    return one_page(objects=dict(notes), page=f"/Annots [{listed}]")


def painted_over() -> bytes:
    hidden = "BT /F1 12 Tf 60 500 Td (HIDDEN order to the model) Tj ET 1 1 1 rg 50 480 400 40 re f\n"
    return one_page(hidden)


def invisible(setting: str) -> bytes:
    return one_page(f"q BT {setting} (HIDDEN order to the model) Tj ET Q\n")


# --- pictures -------------------------------------------------------------------------------------------------------


def png(width: int, height: int, rows: int | None = None, *, more: bytes = b"") -> bytes:
    """A white PNG of one bit a pixel; `rows` of it are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    line = b"\0" + b"\xff" * ((width + 7) // 8)
    compressor, pixels = zlib.compressobj(9), b""
    for _ in range(height if rows is None else rows):
        pixels += compressor.compress(line)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more
    return start + chunk(b"IDAT", pixels + compressor.flush()) + chunk(b"IEND", b"")


def png_with_a_text_bomb() -> bytes:
    text = b"Comment\0\0" + zlib.compress(bytes(200 * 1024**2), 9)
    more = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return png(64, 64, more=more)


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF that has little to show."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\xff\xff\xff\0\0\0"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tiff(width: int, height: int, *, loop: bool = False) -> bytes:
    """A TIFF without pixels; its list of pages may begin anew for ever."""
    tags = (
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, height),
        (279, 4, 1),
    )
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 8 if loop else 0)
    )


def jpeg(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"
    table = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1]) * 64
    return b"\xff\xd8" + table + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


# --- mail and text --------------------------------------------------------------------------------------------------

_MAIL = "From: a@bank.example\nTo: b@bank.example\nSubject: Limits\nMIME-Version: 1.0\n"


def nested_parts(depth: int) -> bytes:
    text = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return f"{_MAIL}{text}Content-Type: text/plain\n\n{VISIBLE}\n".encode()


def nested_mails(depth: int) -> bytes:
    mail = f"{_MAIL}\n{VISIBLE}\n"
    for number in range(depth):
        mail = (
            f'{_MAIL}Content-Type: multipart/mixed; boundary="m{number}"\n\n--m{number}\nContent-Type: text/plain\n\n'
            f"{VISIBLE}\n--m{number}\nContent-Type: message/rfc822\n\n{mail}\n--m{number}--\n"
        )
    return mail.encode()


def many_attachments(count: int) -> bytes:
    part = '--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename="a.txt"\n\nx\n'
    return f'{_MAIL}Content-Type: multipart/mixed; boundary="b"\n\n{part * count}--b--\n'.encode()


def attachment(name: str, content: bytes) -> bytes:
    import base64

    data = base64.encodebytes(content).decode()
    return (
        f'{_MAIL}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{VISIBLE}\n--b\n'
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="{name}"\n\n{data}\n--b--\n'
    ).encode()


def damaged_compound(*, loop: bool = False) -> bytes:
    """An OLE container whose table of sectors says nothing, or leads in a circle."""
    head = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    struct.pack_into("<HHHHH", head, 24, 62, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIII", head, 44, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    sectors = struct.pack("<128I", *([1] * 128 if loop else [0xFFFFFFFF] * 128))
    folder = "Root Entry".encode("utf-16-le").ljust(64, b"\0") + struct.pack("<HBBIII", 22, 5, 1, 0, 0, 0)
    return bytes(head) + sectors + folder.ljust(512, b"\xff")


def html(body: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>A page</title></head><body><p>{VISIBLE}</p>{body}</body></html>".encode()


def rtf(body: str) -> bytes:
    return f"{{\\rtf1\\ansi {VISIBLE}\\par {body}}}".encode()


# --- the set --------------------------------------------------------------------------------------------------------

_READ, _REFUSED, _FAILED, _EITHER, _ANY = Verdict.READ, Verdict.REFUSED, Verdict.FAILED, Verdict.EITHER, Verdict.ANY
_SEEN = "visible words"
_BOMB = "ZIP bomb"

CONTAINERS = (
    Hostile("flat bomb.docx", lambda: bomb("docx"), _REFUSED, _BOMB),
    Hostile("flat bomb.xlsx", lambda: bomb("xlsx"), _REFUSED, _BOMB, slow=True),
    Hostile("flat bomb.pptx", lambda: bomb("pptx"), _REFUSED, _BOMB, slow=True),
    Hostile("flat bomb.odt", lambda: bomb("odt"), _REFUSED, _BOMB, slow=True),
    Hostile("flat bomb.epub", lambda: bomb("epub"), _REFUSED, _BOMB, slow=True),
    Hostile("small bomb.docx", lambda: bomb("docx", 19), _FAILED, slow=True),
    Hostile("overlapping.docx", overlapping, _REFUSED, _BOMB),
    Hostile("lying sizes.docx", lying_sizes, _EITHER, slow=True),
    Hostile(
        "nested bomb.docx", lambda: word(more={"word/embeddings/b.docx": bomb("docx", 100)}), _READ, _SEEN, slow=True
    ),
    Hostile("many parts.docx", many_parts, _REFUSED, "parts"),
    Hostile("encrypted.docx", encrypted_zip, Verdict.PASSWORD, "encrypted"),
    Hostile("truncated.docx", lambda: word()[:-200], _FAILED, "damaged"),
    Hostile("laughs.docx", lambda: word("<w:p><w:r><w:t>&l11;</w:t></w:r></w:p>", before=_laughs()), _ANY),
    Hostile(
        "outside entity.docx", lambda: word("<w:p><w:r><w:t>&e;</w:t></w:r></w:p>", before=_XXE), _ANY, hides=SECRET
    ),
    Hostile("outside picture.docx", lambda: word(relations=_relation("image", ADDRESS)), _READ, _SEEN),
    Hostile(
        "outside template.docx",
        lambda: word(
            more={
                "word/settings.xml": f'<w:settings {_W} {_R}><w:attachedTemplate r:id="x1"/></w:settings>',
                "word/_rels/settings.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
                f"{_relation('attachedTemplate', ADDRESS)}</Relationships>",
            },
            relations=_relation("settings", "settings.xml", ""),
        ),
        _READ,
        _SEEN,
    ),
    Hostile(
        "outside chunk.docx",
        lambda: word('<w:altChunk r:id="x1"/>', relations=_relation("aFChunk", "file:///etc/passwd")),
        _READ,
        _SEEN,
        SECRET,
    ),
    Hostile(
        "deep.docx", lambda: word("<w:p><w:r>" + "<w:sdt>" * 100_000 + "</w:sdt>" * 100_000 + "</w:r></w:p>"), _ANY
    ),
    Hostile(
        "deep tables.docx",
        lambda: word("<w:tbl><w:tr><w:tc>" * 80 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 80),
        _ANY,
        slow=True,
    ),
    Hostile(
        "wide table.docx",
        lambda: word(
            "<w:tbl><w:tr>"
            + "<w:tc><w:tcPr><w:gridSpan w:val='60000'/></w:tcPr><w:p/></w:tc>" * 2000
            + "</w:tr></w:tbl>"
        ),
        _ANY,
        slow=True,
    ),
    Hostile("far cell.xlsx", lambda: workbook(f'<row r="1048576">{_cell("XFD1048576", VISIBLE)}</row>'), _READ, _SEEN),
    Hostile(
        "lying dimension.xlsx",
        lambda: workbook(f'<row r="1">{_cell("A1", VISIBLE)}</row>', dimension="A1:XFD1048576"),
        _READ,
        _SEEN,
    ),
    Hostile(
        "shared string bomb.xlsx",
        lambda: workbook(
            "".join(f'<row r="{r}">' + '<c t="s"><v>0</v></c>' * 100 + "</row>" for r in range(1, 1001)),
            strings=f"<si><t>{'x' * 1_000_000}</t></si>",
        ),
        Verdict.EITHER,
        slow=True,
    ),
    Hostile(
        "laughs.xlsx",
        lambda: workbook(
            '<row r="1"><c r="A1" t="s"><v>0</v></c></row>', strings="<si><t>&l11;</t></si>", before=_laughs()
        ),
        _ANY,
    ),
    Hostile("many columns.xlsx", lambda: workbook(f'<row r="1">{_cell("A1", "x") * 200_000}</row>'), _ANY, slow=True),
    Hostile("outside entity.odt", lambda: open_document("<text:p>&e;</text:p>", before=_XXE), _ANY, hides=SECRET),
    Hostile(
        "outside picture.odt",
        lambda: open_document(f'<draw:frame><draw:image xlink:href="{ADDRESS}"/></draw:frame>'),
        _READ,
        _SEEN,
    ),
    Hostile("laughs.odt", lambda: open_document("<text:p>&l11;</text:p>", before=_laughs()), _ANY, slow=True),
    Hostile("deep.odt", lambda: open_document("<text:span>" * 50_000 + "</text:span>" * 50_000), _ANY, slow=True),
    Hostile("outside entity.epub", lambda: book("<p>&e;</p>", before=_XXE), _ANY, hides=SECRET),
    Hostile("way out.epub", lambda: book("", item="../../../../etc/passwd"), _ANY, hides=SECRET),
    Hostile("member names.epub", lambda: book("", more={"../../../tmp/evil": b"x", "/etc/evil": b"x"}), _READ, _SEEN),
    Hostile("laughs.epub", lambda: book("<p>&l11;</p>", before=_laughs()), _ANY, slow=True),
)

DOCUMENTS = (
    Hostile("truncated.pdf", lambda: one_page()[:300], _ANY),
    Hostile("only a head.pdf", lambda: b"%PDF-1.7\n", _FAILED, "damaged"),
    Hostile("loop of pages.pdf", lambda: page_tree("2 0 R", 1), _ANY),
    Hostile("loop of pages and a page.pdf", lambda: page_tree("2 0 R 3 0 R", 1000), _ANY),
    Hostile("one page a thousand times.pdf", lambda: page_tree("3 0 R " * 1000, 1000), _READ, _SEEN),
    Hostile("a billion pages.pdf", lambda: page_tree("3 0 R", 1_000_000_000), _ANY),
    Hostile("negative pages.pdf", lambda: page_tree("3 0 R", -5), _ANY),
    Hostile("form that draws itself.pdf", self_drawing, _READ, _SEEN),
    Hostile("forms to the tenth power.pdf", lambda: forms(10, 10), _ANY, slow=True),
    Hostile(
        "huge page.pdf",
        lambda: one_page("q 9 0 0 9 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q", box="0 0 1e9 1e9"),
        _ANY,
    ),
    Hostile("empty page box.pdf", lambda: one_page(box="0 0 0 0"), _ANY),
    Hostile("inverted page box.pdf", lambda: one_page(box="600 800 0 0"), _READ, _SEEN),
    Hostile("content bomb.pdf", lambda: one_page(b"0 0 m " * 20_000_000), _ANY, slow=True),
    Hostile("text bomb.pdf", lambda: one_page(b"BT /F1 1 Tf (" + b"x" * 20_000_000 + b") Tj ET"), _ANY, slow=True),
    Hostile("many objects.pdf", lambda: one_page(b"BT /F1 9 Tf 9 9 Td (ab) Tj ET\n" * 200_000), _ANY, slow=True),
    Hostile("object stream bomb.pdf", lambda: object_stream_bomb(300), _ANY, slow=True),
    Hostile("many notes.pdf", lambda: annotations(50_000), _READ, _SEEN, slow=True),
    Hostile("ten thousand pages.pdf", lambda: many_pages(10_000), _READ, _SEEN, slow=True),
    Hostile("too many pages.pdf", lambda: many_pages(10_001), _REFUSED, "pages", slow=True),
    Hostile(
        "script.pdf",
        lambda: one_page(catalog="/OpenAction << /S /JavaScript /JS (app.launchURL('x')) >>"),
        _READ,
        _SEEN,
    ),
    Hostile("launch.pdf", lambda: one_page(catalog="/OpenAction << /S /Launch /F (/bin/sh) >>"), _READ, _SEEN),
    Hostile("table that repeats.pdf", lambda: one_page().replace(b"/Root 1 0 R", b"/Prev 9 /Root 1 0 R"), _ANY),
    Hostile("white on white.pdf", lambda: invisible("1 1 1 rg /F1 12 Tf 60 500 Td"), _READ, _SEEN, "HIDDEN"),
    Hostile("a tenth of a point.pdf", lambda: invisible("/F1 0.1 Tf 60 500 Td"), _READ, _SEEN, "HIDDEN"),
    Hostile("off the page.pdf", lambda: invisible("/F1 12 Tf -900 500 Td"), _READ, _SEEN, "HIDDEN"),
    Hostile("never painted.pdf", lambda: invisible("3 Tr /F1 12 Tf 60 500 Td"), _READ, _SEEN, "HIDDEN"),
    Hostile(
        "see-through.pdf",
        lambda: one_page(
            "q /G gs BT /F1 12 Tf 60 500 Td (HIDDEN order to the model) Tj ET Q",
            resources="/ExtGState << /G << /ca 0 /CA 0 >> >>",
        ),
        _READ,
        _SEEN,
        "HIDDEN",
    ),
    Hostile("painted over.pdf", painted_over, _READ, _SEEN, "HIDDEN"),
    Hostile("with an archive.pdf", lambda: one_page() + word(), _READ, _SEEN),
    Hostile("laughs.xml", lambda: f"{_laughs()}<x>{VISIBLE}&l11;</x>".encode(), _ANY),
    Hostile(
        "one long entity.xml",
        lambda: f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><x>{"&a;" * 20_000}</x>'.encode(),
        _ANY,
    ),
    Hostile("outside entity.xml", lambda: f"{_XXE}<x>{VISIBLE}&e;</x>".encode(), _ANY, hides=SECRET),
    Hostile("outside rules.xml", lambda: f'<!DOCTYPE x SYSTEM "{ADDRESS}"><x>{VISIBLE}</x>'.encode(), _READ, _SEEN),
    Hostile("deep.xml", lambda: b"<x>" * 100_000 + b"</x>" * 100_000, _FAILED),
    Hostile("laughs.svg", lambda: f"<?xml version='1.0'?>{_laughs()}<svg><text>&l11;</text></svg>".encode(), _ANY),
    Hostile("deep.html", lambda: html("<div>" * 100_000 + "deep" + "</div>" * 100_000), _ANY),
    Hostile("deep lists.html", lambda: html("<ul><li>" * 5_000 + "deep"), _ANY, slow=True),
    Hostile("deep inline.html", lambda: html("<b><i>" * 20_000 + "deep"), _ANY, slow=True),
    Hostile("outside.html", lambda: html(f'<img src="{ADDRESS}"><iframe src="{ADDRESS}"></iframe>'), _READ, _SEEN),
    Hostile("script.html", lambda: html("<script>HIDDEN()</script><style>HIDDEN{}</style>"), _READ, _SEEN, "HIDDEN"),
    Hostile(
        "not displayed.html", lambda: html('<p style="display:none">HIDDEN order</p><p hidden>HIDDEN</p>'), _READ, _SEEN
    ),
    Hostile(
        "many attributes.html",
        lambda: html("<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">x</p>"),
        _ANY,
        slow=True,
    ),
    Hostile(
        "wide span.html",
        lambda: html('<table><tr><td colspan="100000000" rowspan="100000000">x</td></tr></table>'),
        _READ,
        _SEEN,
    ),
    Hostile("deep.rtf", lambda: rtf("{" * 100_000 + "}" * 100_000), _ANY, slow=True),
    Hostile("truncated.rtf", lambda: rtf("{\\b never closed")[:-2], _ANY),
    Hostile("long control.rtf", lambda: rtf("\\" + "a" * 1_000_000), _ANY, slow=True),
    Hostile("binary.rtf", lambda: rtf("{\\bin2147483647 x}"), _ANY, slow=True),
    Hostile("include.rst", lambda: f"{VISIBLE}\n\n.. include:: /etc/passwd\n".encode(), _READ, _SEEN, SECRET),
    Hostile("include.org", lambda: f"{VISIBLE}\n\n#+INCLUDE: /etc/passwd\n".encode(), _READ, _SEEN, SECRET),
    Hostile("deep quotes.md", lambda: f"{VISIBLE}\n\n{'> ' * 5_000}deep\n".encode(), _ANY, slow=True),
    Hostile("brackets.md", lambda: f"{VISIBLE}\n\n{'[' * 50_000}\n".encode(), _ANY, slow=True),
    Hostile("emphasis.md", lambda: f"{VISIBLE}\n\n{'**a ' * 20_000}\n".encode(), _ANY, slow=True),
    Hostile("include.md", lambda: f"{VISIBLE}\n\n![x](file:///etc/passwd)\n".encode(), _READ, _SEEN, SECRET),
)

PICTURES = (
    Hostile("huge.png", lambda: png(65_535, 65_535, 1), _EITHER, "pixels"),
    Hostile("thirty thousand square.png", lambda: png(30_000, 30_000), _REFUSED, "pixels", slow=True),
    Hostile("blank and allowed.png", lambda: png(10_000, 10_000), _EITHER, slow=True),
    Hostile("text bomb.png", png_with_a_text_bomb, _FAILED, slow=True),
    Hostile("truncated.png", lambda: png(200, 200)[:60], _FAILED),
    Hostile("huge.gif", lambda: gif(65_535, 65_535), _REFUSED, "pixels"),
    Hostile("many frames.gif", lambda: gif(1, 1, 20_000), _EITHER, slow=True),
    Hostile("huge.bmp", lambda: bmp(2_000_000, 2_000_000), _EITHER),
    Hostile("huge.tif", lambda: tiff(100_000, 100_000), _EITHER),
    Hostile("loop.tif", lambda: tiff(10, 10, loop=True), _FAILED, slow=True),
    Hostile("huge.jpg", lambda: jpeg(65_535, 65_535), _EITHER),
    Hostile("truncated.jpg", lambda: jpeg(100, 100)[:40], _FAILED),
    Hostile("truncated.webp", lambda: b"RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f", _FAILED),
)

MAILS_AND_TEXTS = (
    Hostile("deep.eml", lambda: nested_parts(500), _REFUSED, "nested"),
    Hostile("deep mails.eml", lambda: nested_mails(60), _ANY, slow=True),
    Hostile("many attachments.eml", lambda: many_attachments(100_000), _REFUSED, "parts", slow=True),
    Hostile("bomb inside.eml", lambda: attachment("b.docx", bomb("docx", 100)), _READ, _SEEN, slow=True),
    Hostile("way out.eml", lambda: attachment("../../../etc/cron.d/evil.txt", b"HIDDEN"), _READ, _SEEN),
    Hostile(
        "long header.eml",
        lambda: b"From: " + b"a" * 5_000_000 + b"\nTo: b\nSubject: s\n\n" + VISIBLE.encode(),
        _READ,
        _SEEN,
    ),
    Hostile(
        "addresses.eml",
        lambda: f"From: a\nTo: {'a@b.example, ' * 50_000}\nSubject: s\n\n{VISIBLE}".encode(),
        _READ,
        _SEEN,
        slow=True,
    ),
    Hostile("comments.eml", lambda: f"From: {'(' * 50_000}\nTo: b\nSubject: s\n\n{VISIBLE}".encode(), _ANY, slow=True),
    Hostile(
        "encoded words.eml",
        lambda: f"From: a\nTo: b\nSubject: {'=?utf-8?q?a?= ' * 50_000}\n\n{VISIBLE}".encode(),
        _ANY,
        hides="HIDDEN",
        slow=True,
    ),
    Hostile(
        "unknown encoding.eml",
        lambda: f"{_MAIL}Content-Type: text/plain; charset=klingon\n\n{VISIBLE}".encode(),
        _READ,
        _SEEN,
    ),
    Hostile(
        "sealed.eml",
        lambda: f"{_MAIL}Content-Type: application/pkcs7-mime\n\nxxxx".encode(),
        _REFUSED,
        "encrypted",
    ),
    Hostile("damaged.msg", damaged_compound, _EITHER),
    Hostile("circle.msg", lambda: damaged_compound(loop=True), _EITHER),
    Hostile("damaged.xls", lambda: damaged_compound() + b"x" * 5000, _EITHER),
    Hostile("deep.json", lambda: b"[" * 100_000 + b"]" * 100_000, _ANY),
    Hostile("long number.json", lambda: b'{"n": ' + b"9" * 5_000_000 + b"}", _ANY, slow=True),
    Hostile("one line.csv", lambda: b"word " * 20_000_000, _ANY, slow=True),
    Hostile("a million columns.csv", lambda: b"cell," * 1_000_000 + b"\n" + b"1," * 1_000_000, _ANY, slow=True),
    Hostile("open quote.csv", lambda: b'a,b\n"' + b"x,y\n" * 3_000_000, _ANY, slow=True),
    Hostile("empty cells.csv", lambda: VISIBLE.encode() + b",\n" + b"," * 5_000_000, _ANY, slow=True),
    Hostile("zero bytes.txt", lambda: bytes(1_000_000), _EITHER),
    Hostile("some zero bytes.txt", lambda: VISIBLE.encode().replace(b" ", b" \0"), _ANY),
    Hostile("utf-16 without a mark.txt", lambda: VISIBLE.encode("utf-16-le"), _READ, _SEEN),
    Hostile("utf-32.txt", lambda: VISIBLE.encode("utf-32"), _READ, _SEEN),
    Hostile("torn utf-8.txt", lambda: VISIBLE.encode() + b"\xff\xfe\xc3", _READ, _SEEN),
    Hostile("surrogates.txt", lambda: VISIBLE.encode() + b"\xed\xa0\x80", _READ, _SEEN),
    Hostile(
        "hidden letters.txt",
        lambda: (VISIBLE + "".join(chr(0xE0000 + ord(c)) for c in "HIDDEN")).encode(),
        _READ,
        _SEEN,
        "[\U000e0000-\U000e007f]",
    ),
    Hostile("turned round.txt", lambda: f"{VISIBLE} \u202egnp.exe\u202c".encode(), _READ, _SEEN, "[\u202a-\u202e]"),
    Hostile("no width.txt", lambda: VISIBLE.replace("visible", "vis\u200bi\u2060ble").encode(), _READ, _SEEN),
    Hostile("marks.txt", lambda: (VISIBLE + " a" + "\u0301" * 500_000).encode(), _ANY, slow=True),
    Hostile(
        "expanding letters.txt", lambda: (VISIBLE + "\ufdfa" * 2_000_000).encode(), _ANY, hides="HIDDEN", slow=True
    ),
    Hostile("one long word.txt", lambda: VISIBLE.encode() + b" " + b"x" * 20_000_000, _READ, _SEEN, slow=True),
)

MISNAMED = (
    Hostile("empty.pdf", lambda: b"", Verdict.EMPTY, "empty"),
    Hostile("blank.txt", lambda: b" \n\t " * 1000, Verdict.EMPTY, "empty"),
    Hostile("program.pdf", lambda: b"\x7fELF\x02\x01\x01" + bytes(200), _EITHER),
    Hostile("program.txt", lambda: b"MZ\x90\0" + bytes(range(256)) * 10, _REFUSED),
    Hostile("pdf.docx", one_page, _REFUSED, "holds application/pdf"),
    Hostile("word.pdf", word, _REFUSED, "holds application"),
    Hostile("picture.pdf", lambda: png(50, 50), _REFUSED, "holds image/png"),
    Hostile("picture and pdf.gif", lambda: gif(1, 1)[:-1] + one_page(), _EITHER),
    Hostile("page and pdf.html", lambda: b"<html><!--" + one_page() + b"-->", _EITHER),
    Hostile("rich text.doc", lambda: rtf(""), _READ, _SEEN),
    Hostile("page.xls", lambda: html(""), _READ, _SEEN),
    Hostile("no name", lambda: one_page(), _READ, _SEEN),
    Hostile("unknown.xyz", lambda: VISIBLE.encode(), _REFUSED, "not supported"),
)

ALL: tuple[Hostile, ...] = (*CONTAINERS, *DOCUMENTS, *PICTURES, *MAILS_AND_TEXTS, *MISNAMED)

NAMES: tuple[str, ...] = (
    *(
        "-rf",
        "--help",
        "$(reboot).txt",
        "`reboot`.txt",
        "; rm -rf ~;.txt",
        "a\nb.txt",
        "a\rb.txt",
        "a\tb.txt",
        "a\x1b[31mb.txt",
    ),
    *(
        "a..txt",
        "a.txt.",
        "a.txt ",
        " a.txt",
        "CON.txt",
        "nul",
        "a:b.txt",
        'a"b.txt',
        "a'b.txt",
        "a\\b.txt",
    ),
    *(
        "%2e%2e%2fetc.txt",
        "\u2025\uff0fetc.txt",
        "\uff0e\uff0e\u2215etc.txt",
        "a%00b.txt",
        "<img src=x onerror=alert(1)>.txt",
    ),
    *("{{7*7}}.txt", "${jndi:ldap:x}.txt", "' OR 1=1 --.txt", "a;b=c.txt", "*.txt", "?.txt", "[a-z].txt", "~.x.txt"),
    *(
        "caf\u00e9.txt",
        "cafe\u0301.txt",
        "\u212bngstr\u00f6m.txt",
        "p\u0430yroll.txt",
        "payroll.txt",
        "\u202etxt.exe.txt",
    ),
    *(
        "\u2066a\u2069.txt",
        "a\u200bb.txt",
        "a\u00adb.txt",
        "\ufeffa.txt",
        "\U000e0041.txt",
        "\U0001f4a9.txt",
        "\u0130.TXT",
    ),
    *(
        "x" * 251 + ".txt",
        "\u00e4" * 125 + ".txt",
        "a" + "\u0301" * 120 + ".txt",
        "\u2028.txt",
        "a\u0085b.txt",
        "\x7f.txt",
    ),
)
"""File names that are legal here and awkward somewhere."""
