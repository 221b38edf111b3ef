"""Documents made for the tests, as bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence

import docx
import openpyxl  # type: ignore[import-untyped]
import pikepdf
import pptx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

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
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"] = "desk@bank.example", "archive@bank.example"
    message["Subject"], message["Date"] = "Limits for June", "Mon, 01 Jun 2026 09:00:00 +0000"
    message.set_content("Please find the new limits attached.")
    message.add_alternative("<p>Please find the <b>new limits</b> attached.</p>", subtype="html")
    message.add_attachment(workbook(), maintype="application", subtype="octet-stream", filename="limits.xlsx")
    message.add_attachment(b"\x7fELF\0\0\0\0", maintype="application", subtype="octet-stream", filename="tool.bin")
    return message.as_bytes()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(300):
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


def word_with_a_note() -> bytes:
    note = '<w:footnotes %s><w:footnote w:id="2"><w:p><w:r><w:t>Save on public holidays.</w:t></w:r></w:p></w:footnote>'
    return with_part(word(), "word/footnotes.xml", (note % nsdecls("w") + "</w:footnotes>").encode())


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
