"""Documents made for the tests, as bytes."""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl  # type: ignore[import-untyped]
import pikepdf
import pptx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image, ImageDraw, ImageFont
from pptx.util import Pt
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from ingest.parse import legacy
from ingest.parse.detect import Format

LOREM = (
    "The retention period for trading records is seven years and begins on the day the record was made. "
    "Records are kept on media that cannot be altered. The compliance office reviews them every quarter. "
)


def pdf(*pages: Callable[[Canvas], None], size: tuple[float, float] = (600, 800), title: str = "") -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1)
    if title:
        canvas.setTitle(title)
    for draw in pages:
        canvas.setFont("Helvetica", 10)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def lines(canvas: Canvas, texts: Sequence[str], left: float, top: float, step: float = 12) -> None:
    for number, text in enumerate(texts):
        canvas.drawString(left, top - number * step, text)


def wrapped(text: str, width: int) -> list[str]:
    rows: list[str] = [""]
    for word in text.split():
        if len(rows[-1]) + len(word) >= width:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    return rows


def text_page(texts: Sequence[str]) -> Callable[[Canvas], None]:
    return lambda canvas: lines(canvas, texts, 60, 700)


def encrypted_pdf() -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(text_page([LOREM])))) as document:
        document.save(out, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    return out.getvalue()


def picture(texts: Sequence[str], *, size: tuple[int, int] = (1240, 800), points: int = 40) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(points)
    for number, text in enumerate(texts):
        draw.text((80, 100 + number * points * 2), text, fill="black", font=font)
    return image


def image_file(image: Image.Image, kind: str, *more: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"save_all": True, "append_images": list(more)} if more else {}))
    return out.getvalue()


def scanned_pdf(image: Image.Image) -> bytes:
    from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]

    return pdf(
        lambda canvas: canvas.drawImage(ImageReader(image), 0, 0, 600, 800), text_page(["A page with text."] * 3)
    )


def word(*, insertion: bool = False) -> bytes:
    document = docx.Document()
    document.add_heading("Retention policy", level=1)
    document.add_paragraph("Records are kept for seven years.")
    document.add_heading("Exceptions", level=2)
    document.add_paragraph("Telephone notes", style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for left, right in (("Class", "Years"), ("Trades", "7"), ("Mail", "5")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = left, right
    if insertion:
        paragraph = document.add_paragraph("The fee is ")
        text = '<w:ins %s w:id="1" w:author="x"><w:r><w:t>forty euros</w:t></w:r></w:ins>'
        paragraph._p.append(parse_xml(text % nsdecls("w")))
        gone = '<w:del %s w:id="2" w:author="x"><w:r><w:delText>ten euros</w:delText></w:r></w:del>'
        paragraph._p.append(parse_xml(gone % nsdecls("w")))
        field = '<w:fldSimple %s w:instr="REF a"><w:r><w:t> under section 9</w:t></w:r></w:fldSimple>'
        paragraph._p.append(parse_xml(field % nsdecls("w")))
    return saved(document)


def slides() -> bytes:
    deck = pptx.Presentation()
    for title, body in (("Quarterly review", "Margins rose in spring"), ("Outlook", "Costs stay level")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, body
    return saved(deck)


def workbook(rows: int = 3) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Budget"
    sheet.append(["Department", "Amount", "Share"])
    for number in range(rows):
        sheet.append([f"Unit {number}", 1000.5 + number, 0.25])
        sheet.cell(sheet.max_row, 3).number_format = "0%"
    book.create_sheet("Notes").append(["Approved by the board", "yes"])
    return saved(book)


def saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def mail() -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "desk@bank.example", "archive@bank.example"
    message["Subject"], message["Date"] = "Limits for June", "Mon, 01 Jun 2026 09:00:00 +0000"
    message.set_content("Please find the new limits attached.")
    message.add_alternative("<p>Please find the <b>new limits</b> attached.</p>", subtype="html")
    message.add_attachment(workbook(), maintype="application", subtype="octet-stream", filename="limits.xlsx")
    message.add_attachment(b"\x7fELF\0\0\0\0", maintype="application", subtype="octet-stream", filename="tool.bin")
    return message.as_bytes()


def zip_bomb() -> bytes:
    """More than a thousand times smaller than what is in it, and what is in it above the size from which that counts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(30):
                part.write(bytes(1024**2))
    return out.getvalue()


def epub() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        book.writestr(
            "a.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata/><manifest>'
            '<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="c"/></spine></package>',
        )
        book.writestr(
            "c.xhtml",
            '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Chapter one</h1>'
            "<p>Call the desk first.</p></body></html>",
        )
    return out.getvalue()


def with_part(document: bytes, name: str, part: bytes) -> bytes:
    """An Office file with one part put in, or in the place of the one it had."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as source, zipfile.ZipFile(out, "w") as target:
        for other in source.namelist():
            if other != name:
                target.writestr(other, source.read(other))
        target.writestr(name, part)
    return out.getvalue()


def part_of(document: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return archive.read(name)


MAIN = {"docx": "word/document.xml", "pptx": "ppt/presentation.xml", "xlsx": "xl/workbook.xml"}
"""Where Office has the document, presentation or workbook."""


def with_related_part(document: bytes, name: str, part: bytes, kind: str, *, by: str = MAIN["docx"]) -> bytes:
    """An Office file with one part put in to which another one refers."""
    folder, _, referrer = by.rpartition("/")
    rels, suffix = f"{folder}/_rels/{referrer}.rels", name.rpartition(".")[2]
    identity = "r" + hashlib.sha256(name.encode()).hexdigest()[:8]
    relation = f'<Relationship Id="{identity}" Type="x/relationships/{kind}" Target="/{name}"/></Relationships>'
    document = changed(document, rels, b"</Relationships>", relation.encode())
    if f'Extension="{suffix}"'.encode() not in part_of(document, "[Content_Types].xml"):
        default = f'<Default Extension="{suffix}" ContentType="application/octet-stream"/></Types>'
        document = changed(document, "[Content_Types].xml", b"</Types>", default.encode())
    return with_part(document, name, part)


def changed(document: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """An Office file with something else in one of its parts."""
    part = part_of(document, name)
    assert old in part, part
    return with_part(document, name, part.replace(old, new))


def renamed_main(document: bytes, kind: str, name: str) -> bytes:
    """An Office file whose main part is called otherwise (in the same folder)."""
    usual = MAIN[kind]
    rels = [f"{'/_rels/'.join(path.rsplit('/', 1))}.rels" for path in (usual, name)]
    document = with_part(document, name, part_of(document, usual))
    document = with_part(document, rels[1], part_of(document, rels[0]))
    document = without_part(without_part(document, usual), rels[0])
    for referrer in ("_rels/.rels", "[Content_Types].xml"):
        document = changed(document, referrer, usual.encode(), name.encode())
    return document


def without_part(document: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(document)) as source:
        return archive(*((other, source.read(other)) for other in source.namelist() if other != name))


def with_broken_part(document: bytes, name: str) -> bytes:
    """A package in which one part cannot be decompressed."""
    with zipfile.ZipFile(io.BytesIO(document)) as source:
        packed = bytearray(archive(*((part, source.read(part)) for part in source.namelist())))
    with zipfile.ZipFile(io.BytesIO(bytes(packed))) as opened:
        start = opened.getinfo(name).header_offset + 30 + len(name)
    packed[start : start + 8] = b"\xff" * 8
    return bytes(packed)


def word_with_a_note() -> bytes:
    note = '<w:footnotes %s><w:footnote w:id="2"><w:p><w:r><w:t>Save on public holidays.</w:t></w:r></w:p></w:footnote>'
    part = (note % nsdecls("w") + "</w:footnotes>").encode()
    return with_related_part(word(), "word/footnotes.xml", part, "footnotes")


def word_with_a_text_box() -> bytes:
    document = docx.Document()
    box = (
        "<w:r %s><w:pict><v:textbox xmlns:v='urn:schemas-microsoft-com:vml'><w:txbxContent><w:p><w:r><w:t>Boxed warning"
        "</w:t></w:r></w:p></w:txbxContent></v:textbox></w:pict></w:r>"
    )
    document.add_paragraph("Before the box.")._p.append(parse_xml(box % nsdecls("w")))
    return saved(document)


def strict_workbook() -> bytes:
    book = workbook()
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"):
        part = part_of(book, name)
        for kind in (b"spreadsheetml/2006/main", b"officeDocument/2006/relationships"):
            old = b"http://schemas.openxmlformats.org/" + kind
            part = part.replace(old, b"http://purl.oclc.org/ooxml/" + kind.replace(b"/2006", b""))
        book = with_part(book, name, part)
    return book


def far_cell() -> bytes:
    book = openpyxl.Workbook()
    book.active["XFD1048576"] = "the last cell"
    return saved(book)


def billion_laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><x>seen &l11;</x>'.encode()


def nested_parts(depth: int) -> bytes:
    text = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return f"From: a@bank.example\nSubject: deep\n{text}Content-Type: text/plain\n\nbottom\n".encode()


def archive(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name given twice
        for name, data in files:
            target.writestr(name, data)
    return out.getvalue()


def tar(*files: tuple[str, bytes | tarfile.TarInfo], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as target:  # type: ignore[call-overload]
        for name, data in files:
            if isinstance(data, tarfile.TarInfo):
                data.name = name
                target.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                target.addfile(info, io.BytesIO(data))
    return out.getvalue()


def letter(subject: str, own: str, *before: str, date: str = "Mon, 01 Jun 2026 09:00:00 +0000") -> EmailMessage:
    """A mail in a conversation."""
    message = EmailMessage()
    message["From"], message["To"] = "desk@bank.example", "archive@bank.example"
    message["Subject"], message["Date"] = subject, date
    message["Message-ID"] = f"<{own}@bank.example>"
    if before:
        message["References"] = " ".join(f"<{identity}@bank.example>" for identity in before)
    message.set_content(f"This is about {subject}.\n\nFrom now on the desk answers.\n")
    return message


def mailbox(*mails: EmailMessage) -> bytes:
    """The mails in one file, as mail programs write it."""
    text = b""
    for message in mails:
        quoted = re.sub(rb"(?m)^(>*From )", rb">\1", message.as_bytes())
        text += b"From desk@bank.example Mon Jun  1 09:00:00 2026\n" + quoted + b"\n"
    return text


def encrypted_zip(password: str, *files: tuple[str, bytes]) -> bytes:
    """A ZIP under the old cipher of the format (APPNOTE.TXT 6.1), which the standard library reads and does not write."""
    out = bytearray(archive(*files, method=zipfile.ZIP_STORED))
    with zipfile.ZipFile(io.BytesIO(bytes(out))) as plain:
        infos = plain.infolist()
    sealed = io.BytesIO()
    directory = io.BytesIO()
    for info, (name, data) in zip(infos, files, strict=True):
        body = _zip_cipher(password.encode(), bytes(11) + bytes([info.CRC >> 24]) + data)
        fields = (20, 1, 0, 0, 33, info.CRC, len(body), len(data), len(name.encode()), 0)
        offset = sealed.tell()
        sealed.write(b"PK\x03\x04" + struct.pack("<5H3I2H", *fields) + name.encode() + body)
        directory.write(b"PK\x01\x02\x14\x00" + struct.pack("<5H3I2H", *fields))
        directory.write(struct.pack("<3H2I", 0, 0, 0, 0, offset) + name.encode())
    start, size = sealed.tell(), directory.tell()
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, len(files), len(files), size, start, 0)
    return sealed.getvalue() + directory.getvalue() + end


def _zip_cipher(password: bytes, plain: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(byte: int) -> None:
        keys[0] = ~zlib.crc32(bytes([byte]), ~keys[0] & 0xFFFFFFFF) & 0xFFFFFFFF
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = ~zlib.crc32(bytes([keys[1] >> 24]), ~keys[2] & 0xFFFFFFFF) & 0xFFFFFFFF

    for byte in password:
        step(byte)
    out = bytearray()
    for byte in plain:
        mask = (keys[2] & 0xFFFF) | 2
        out.append(byte ^ ((mask * (mask ^ 1)) >> 8 & 0xFF))
        step(byte)
    return bytes(out)


def aes_zip(password: str, name: str, data: bytes) -> bytes:
    """A ZIP with one member encrypted by AES-256, written after the published description (winzip.com/aes_info)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt = bytes(range(16))
    keys = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1_000, 66)
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    sealed = b""
    for number in range(0, len(packed), 16):
        counter = (number // 16 + 1).to_bytes(16, "little")
        mask = Cipher(algorithms.AES(keys[:32]), modes.ECB()).encryptor().update(counter)
        sealed += bytes(a ^ b for a, b in zip(packed[number : number + 16], mask, strict=False))
    body = salt + keys[64:] + sealed + hmac.digest(keys[32:64], sealed, "sha1")[:10]
    extra = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, 8)
    fields = (51, 1, 99, 0, 33, 0, len(body), len(data), len(name), len(extra))
    head = b"PK\x03\x04" + struct.pack("<5H3I2H", *fields) + name.encode() + extra + body
    entry = b"PK\x01\x02\x33\x00" + struct.pack("<5H3I2H", *fields) + struct.pack("<3H2I", 0, 0, 0, 0, 0)
    entry += name.encode() + extra
    return head + entry + b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 1, 1, len(entry), len(head), 0)


def overlapping_zip() -> bytes:
    """Two entries that share one compressed file."""
    data = archive(("a.txt", b"words " * 1000))
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[directory:end]
    twice = entry + entry.replace(b"a.txt", b"b.txt")
    return data[:directory] + twice + b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 2, 2, len(twice), directory, 0)


def photograph(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """A picture without paper or text: every shade of grey, next to each other."""
    noise = Image.effect_noise(size, 90)
    return noise.convert("RGB")


def over_a_scan(image: Image.Image, words: Sequence[str], *, mode: int = 3) -> bytes:
    """A page that is a picture with a text layer over it, as scanners write it."""
    from reportlab.lib.utils import ImageReader

    def draw(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(image), 0, 0, 600, 800)
        text = canvas.beginText(50, 735)
        text.setTextRenderMode(mode)
        text.setLeading(38)
        for line in words:
            text.textLine(line)
        canvas.drawText(text)

    return pdf(draw)


def with_characters_mapped_to(character: str, document: bytes) -> bytes:
    """A PDF that shows its text as before, but says of every letter that it is `character`."""
    lines = "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange"
    letters = " ".join(f"<{code:02X}> <{ord(character):04X}>" for code in range(0x21, 0x7F))
    cmap = f"{lines} {0x7F - 0x21} beginbfchar {letters} endbfchar endcmap end"
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened:
        for page in opened.pages:
            for font in page.Resources.Font.values():
                font.ToUnicode = opened.make_stream(cmap.encode())
        opened.save(out)
    return out.getvalue()


_OPENDOCUMENT = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name if name != "draw" else "drawing"}:1.0"'
    for name in ("office", "text", "table", "draw", "style", "meta", "presentation")
)


def opendocument(kind: str, body: str, *, automatic: str = "", edges: str = "") -> bytes:
    """A text, spreadsheet or presentation of OpenDocument with that body."""
    spaces = f'{_OPENDOCUMENT} xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
    content = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return archive(
        ("mimetype", f"application/vnd.oasis.opendocument.{kind}".encode()),
        (
            "content.xml",
            f"<office:document-content {spaces}><office:automatic-styles>{automatic}</office:automatic-styles>"
            f"{content}</office:document-content>".encode(),
        ),
        (
            "styles.xml",
            f"<office:document-styles {spaces}><office:master-styles><style:master-page>{edges}</style:master-page>"
            "</office:master-styles></office:document-styles>".encode(),
        ),
        (
            "meta.xml",
            f"<office:document-meta {spaces}><office:meta><dc:title>Plan 2026</dc:title>"
            "<meta:initial-creator>A. Writer</meta:initial-creator>"
            "<meta:creation-date>2026-06-01T09:00:00.123</meta:creation-date><dc:date>2026-06-02T10:00:00Z</dc:date>"
            "</office:meta></office:document-meta>".encode(),
        ),
    )


def numbered_word() -> bytes:
    """Clauses that Word numbers "1.", "1.1", "(a)"."""
    document = docx.Document()
    texts = ((0, "Fees"), (1, "Monthly"), (2, "first case"), (2, "second case"), (1, "Yearly"), (0, "Term"))
    for depth, text in texts:
        paragraph = document.add_paragraph(text)
        reference = f'<w:numPr %s><w:ilvl w:val="{depth}"/><w:numId w:val="77"/></w:numPr>' % nsdecls("w")
        paragraph._p.get_or_add_pPr().append(parse_xml(reference))
    levels = (("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"))
    shape = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{pattern}"/></w:lvl>'
        for depth, (kind, pattern) in enumerate(levels)
    )
    part = (
        f'<w:numbering {nsdecls("w")}><w:abstractNum w:abstractNumId="5">{shape}</w:abstractNum>'
        '<w:num w:numId="77"><w:abstractNumId w:val="5"/></w:num></w:numbering>'
    )
    return with_part(saved(document), "word/numbering.xml", part.encode())


def commented_workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active["B2"] = "40"
    book.active["B2"].comment = openpyxl.comments.Comment("Checked twice.", "A. Checker")
    hidden = book.create_sheet("Old prices")
    hidden.append(["Fee", "30"])
    hidden.sheet_state = "hidden"
    return saved(book)


def under_password(document: bytes, password: str) -> bytes:
    """An Office file encrypted as Office does it."""
    import msoffcrypto  # type: ignore[import-untyped]

    out = io.BytesIO()
    msoffcrypto.OfficeFile(io.BytesIO(document)).encrypt(password, out)
    return out.getvalue()


def of_before_2007(data: bytes, kind: str, folder: Path) -> bytes:
    """The same document as programs of before 2007 wrote it, by LibreOffice."""
    source, target, program = folder / "modern", folder / f"old.{kind}", legacy.program_for(Format.DOC)
    source.write_bytes(data)
    command = [sys.executable, "-m", "ingest.parse.office", str(program), source, target, kind, folder / "profile"]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def encrypted_opendocument(document: bytes, password: str) -> bytes:
    """The same document encrypted as LibreOffice does it (AES-256 in CBC mode)."""
    import base64

    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt, start = bytes(range(16)), bytes(range(16, 32))
    key = hashlib.pbkdf2_hmac("sha1", hashlib.sha256(password.encode()).digest(), salt, 1_000, 32)
    entries, parts = "", [("mimetype", part_of(document, "mimetype"))]
    for name in ("content.xml", "styles.xml", "meta.xml"):
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(part_of(document, name)) + packer.flush()
        checksum = base64.b64encode(hashlib.sha256(packed[:1024]).digest()).decode()
        missing = 16 - len(packed) % 16
        encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
        parts.append((name, encryptor.update(packed + bytes(missing - 1) + bytes([missing]))))
        entries += (
            f'<m:file-entry m:full-path="{name}"><m:encryption-data m:checksum="{checksum}"><m:algorithm '
            'm:algorithm-name="http://www.w3.org/2001/04/xmlenc#aes256-cbc" '
            f'm:initialisation-vector="{base64.b64encode(start).decode()}"/><m:key-derivation m:iteration-count="1000" '
            f'm:salt="{base64.b64encode(salt).decode()}"/></m:encryption-data></m:file-entry>'
        )
    manifest = f'<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">{entries}</m:manifest>'
    return archive(*parts, ("META-INF/manifest.xml", manifest.encode()))


def compound(**streams: bytes) -> bytes:
    """An OLE file with these streams (MS-CFB), each so long that it needs no mini sectors."""
    streams = {name: data.ljust(4096, b"\0") for name, data in streams.items()}
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    table: list[int] = []
    content = entries = b""
    starts: list[int] = []

    def put(data: bytes) -> None:
        nonlocal content
        count = max(1, -(-len(data) // 512))
        starts.append(len(table))
        table.extend([*range(len(table) + 1, len(table) + count), end])
        content += data.ljust(count * 512, b"\0")

    def entry(name: str, kind: int, links: tuple[int, int, int], start: int, size: int) -> bytes:
        text = name.encode("utf-16-le") + b"\0\0"
        return struct.pack("<64sHBB3I36sIQ", text, len(text), kind, 1, *links, bytes(36), start, size)

    for data in streams.values():
        put(data)
    entries = entry("Root Entry", 5, (free, free, 1), end, 0)
    for number, (name, data) in enumerate(streams.items(), start=1):
        following = number + 1 if number < len(streams) else free
        entries += entry(name, 2, (free, following, free), starts[number - 1], len(data))
    put(entries)
    sectors = -(-(len(table) + len(table) // 100 + 1) // 128)
    first = len(table)
    table.extend([0xFFFFFFFD] * sectors)
    table.extend([free] * (sectors * 128 - len(table)))
    places = struct.pack("<109I", *range(first, first + sectors), *[free] * (109 - sectors))
    head = struct.pack("<8s16s5H6s9I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 62, 3, 0xFFFE, 9, 6, bytes(6),
                       0, sectors, starts[-1], 0, 0, end, 0, end, 0)  # fmt: skip
    return head + places + content + struct.pack(f"<{len(table)}I", *table)


def in_ole(name: str, data: bytes) -> bytes:
    """A file as programs of long ago put it into a document: an OLE object of the kind "Package"."""
    path = f"C:\\{name}\0".encode("cp1252")
    inner = struct.pack("<H", 2) + name.encode("cp1252") + b"\0" + path + struct.pack("<2I", 0x30000, len(path)) + path
    inner += struct.pack("<I", len(data)) + data
    return compound(**{"\x01Ole10Native": struct.pack("<I", len(inner)) + inner})


def with_files(document: bytes, *files: tuple[str, bytes]) -> bytes:
    """A PDF with files attached to it."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened:
        for name, data in files:
            opened.attachments[name] = pikepdf.AttachedFileSpec(opened, data, filename=name)
        opened.save(out)
    return out.getvalue()


def with_outline(document: bytes, *entries: tuple[str, int, int]) -> bytes:
    """A PDF with bookmarks: title, depth (0 is the highest), page (counted from 0)."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened:
        with opened.open_outline() as outline:
            above: list[pikepdf.OutlineItem] = []
            for title, depth, page in entries:
                item = pikepdf.OutlineItem(title, page)
                (above[depth - 1].children if depth else outline.root).append(item)
                above[depth:] = [item]
        opened.save(out)
    return out.getvalue()


def with_page_labels(document: bytes, romans: int) -> bytes:
    """A PDF whose first pages are called i, ii, iii and the others 1, 2, 3."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened:
        styles = [0, pikepdf.Dictionary(S=pikepdf.Name.r), romans, pikepdf.Dictionary(S=pikepdf.Name.D)]
        opened.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array(styles))
        opened.save(out)
    return out.getvalue()


def workbook_that_hides() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Pay"
    for row in (("Name", "Pay", "Grade"), ("A. Reader", 50, 3), ("C. Gone", 70, 5), ("B. Writer", 60, 4)):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True
    return saved(book)


def old_workbook(rows: Sequence[Sequence[str | float]], *, hidden_row: int, hidden_column: int) -> bytes:
    """An Excel 97 workbook (MS-XLS) with one sheet; numbers below 1 are shown as percentages."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def text(value: str) -> bytes:
        return struct.pack("<HB", len(value), 0) + value.encode("latin-1")

    sheet = record(0x809, struct.pack("<4H2I", 0x600, 0x10, 0, 0, 0, 0))
    sheet += record(0x7D, struct.pack("<6H", hidden_column, hidden_column, 2_000, 0, 1, 0))
    for number, row in enumerate(rows):
        flags = 0x100 | (0x20 if number == hidden_row else 0)
        sheet += record(0x208, struct.pack("<6HI", number, 0, len(row), 255, 0, 0, flags))
        for column, value in enumerate(row):
            place = struct.pack("<3H", number, column, 1 if isinstance(value, float) else 0)
            kind, body = (0x204, text(value)) if isinstance(value, str) else (0x203, struct.pack("<d", value))
            sheet += record(kind, place + body)
    sheet += record(0x0A, b"")
    book = record(0x809, struct.pack("<4H2I", 0x600, 5, 0, 0, 0, 0)) + record(0x42, struct.pack("<H", 1200))
    font = struct.pack("<5H4B", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0) + struct.pack("<2B", 5, 0) + b"Arial"
    book += record(0x31, font)
    book += b"".join(record(0xE0, struct.pack("<3H14x", 0, shape, 0)) for shape in (0, 9))  # General, 0%
    name = b"Sheet1"
    start = len(book) + 4 + 8 + len(name) + 4
    book += record(0x85, struct.pack("<IBBBB", start, 0, 0, len(name), 0) + name) + record(0x0A, b"")
    return compound(Workbook=book + sheet)


def word_without_heading_styles() -> bytes:
    """Headings by an outline level of a style of one's own, of the paragraph itself, and by bold type."""

    def outline_level(level: int) -> str:
        return f'<w:outlineLvl {nsdecls("w")} w:val="{level}"/>'

    document = docx.Document()
    own = document.styles.add_style("Clause", 1)
    own.base_style = document.styles["Normal"]
    own.element.get_or_add_pPr().append(parse_xml(outline_level(0)))
    based = document.styles.add_style("Clause Narrow", 1)
    based.base_style = own
    document.add_paragraph("Fees", style="Clause Narrow")
    document.add_paragraph("They are due in June.")
    direct = document.add_paragraph("Exceptions")
    direct._p.get_or_add_pPr().append(parse_xml(outline_level(1)))
    document.add_paragraph("There are none.")
    document.add_paragraph().add_run("Late payment").bold = True
    mixed = document.add_paragraph("It costs ")
    mixed.add_run("interest").bold = True
    document.add_paragraph().add_run("This is important, and a sentence.").bold = True
    document.add_table(rows=1, cols=1).rows[0].cells[0].paragraphs[0].add_run("Bold cell").bold = True
    return saved(document)


def word_with_hidden_text() -> bytes:
    document = docx.Document()
    style = document.styles.add_style("Unseen", 2)
    style.font.hidden = True
    paragraph = document.add_paragraph("The fee is 40")
    paragraph.add_run(" or 30 for friends").font.hidden = True
    paragraph.add_run(" and secret", style="Unseen")
    paragraph.add_run(" euros", style="Unseen").font.hidden = False
    head = document.sections[0].header.paragraphs[0]
    head.add_run("Fees")
    head.add_run(" of friends").font.hidden = True
    for texts in (("Class", "Secret class"), ("Secret table",)):
        table = document.add_table(rows=0, cols=1)
        for text in texts:
            row = table.add_row()
            row.cells[0].text = text
            if text.startswith("Secret"):
                row._tr.get_or_add_trPr().append(parse_xml(f"<w:hidden {nsdecls('w')}/>"))
    return saved(document)


def without_styles(document: bytes) -> bytes:
    """A Word file that has no styles."""
    document = without_part(document, "word/styles.xml")
    for name, entry in (("word/_rels/document.xml.rels", b"Relationship"), ("[Content_Types].xml", b"Override")):
        part = part_of(document, name)
        document = with_part(document, name, re.sub(b"<" + entry + b"[^>]*styles[.]xml[^>]*/>", b"", part))
    return document


def slides_with_a_master_text(text: str, *, left: int = 0, unshown: str = "") -> bytes:
    """A text on the master of the first of two slides, which the slide or its layout may not show."""
    deck = pptx.Presentation(io.BytesIO(slides()))
    box = deck.slides[0].shapes.add_textbox(left, 0, 100, 100)
    box.text_frame.text = text
    deck.slide_master.shapes._spTree.append(box._element)  # moves it there
    for hides in {"slide": deck.slides, "layout": deck.slide_layouts}.get(unshown, ()):
        hides._element.set("showMasterSp", "0")
    return saved(deck)


def hidden_in_the_selection_pane(document: bytes, text: str) -> bytes:
    """A presentation with a shape on its first slide, alone or in a group, that is hidden."""
    deck = pptx.Presentation(io.BytesIO(document))
    shapes = deck.slides[0].shapes
    for parent in (shapes, shapes.add_group_shape().shapes):
        box = parent.add_textbox(0, 0, Pt(100), Pt(100))
        box.text_frame.text = text
        box._element.nvSpPr.cNvPr.set("hidden", "1")
    return saved(deck)


def slide_with_a_shape(left: int, top: int, text: str) -> bytes:
    """A shape of 100 by 100 points on a slide of 1,000 by 750."""
    deck = pptx.Presentation(io.BytesIO(slides()))
    deck.slide_width, deck.slide_height = Pt(1_000), Pt(750)
    deck.slides[0].shapes.add_textbox(Pt(left), Pt(top), Pt(100), Pt(100)).text_frame.text = text
    return saved(deck)
