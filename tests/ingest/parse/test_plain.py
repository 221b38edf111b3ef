"""Texts in any encoding, JSON, XML, web pages and books."""

from __future__ import annotations

import pytest

from appliance.domain import DocumentFacts
from appliance.errors import DocumentRejected
from ingest.parse import readers
from ingest.parse.elements import ElementKind, Parsed
from ingest.parse.encodings import decoded
from tests.ingest.parse import documents as made


def read(data: bytes, name: str) -> Parsed:
    return readers.read(data, name, readers.Limits(100, (), 30.0), lambda done, total, ocr: None)


def texts(data: bytes, name: str) -> list[str]:
    return [element.text for element in read(data, name).elements]


SENTENCES = [
    (
        "Größere Beträge müssen gemeldet werden. Das gilt für alle Konten.",
        ("cp1252", "latin-1", "utf-16-be", "utf-32-le"),
    ),
    ("Les déclarations doivent être déposées avant la clôture, à l'étage.", ("cp1252", "iso8859-15", "utf-32-be")),
    ("La retención durará siete años; mañana se publicará.", ("cp1252",)),
    ("Wszystkie wpłaty powyżej tysiąca złotych należy zgłosić.", ("cp1250", "iso8859-2")),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy.", ("cp1250", "iso8859-2")),
    ("Bin liranın üzerindeki bütün tutarlar bildirilmelidir, şube müdürü ığdır.", ("cp1254",)),
    ("Все суммы свыше десяти тысяч рублей должны быть заявлены.", ("cp1251", "koi8-r", "iso8859-5", "cp866")),
    ("Όλα τα ποσά άνω των χιλίων ευρώ πρέπει να δηλώνονται.", ("cp1253", "iso8859-7")),
    (
        "一万円を超える金額はすべて報告しなければなりません。例外は毎年確認します。",
        ("shift_jis", "euc_jp", "iso2022_jp"),
    ),
    ("所有超过一万元的金额都必须报告。例外情况由董事会每季度审查一次。", ("gb18030",)),
    ("所有超過一萬元的金額都必須報告。例外情況由董事會每季度審查一次。", ("big5",)),
    ("만 원을 초과하는 모든 금액은 보고해야 합니다.", ("euc_kr", "cp949")),
    ("café", ("cp1252", "utf-8")),
]


@pytest.mark.parametrize(("text", "encoding"), [(text, name) for text, names in SENTENCES for name in names])
def test_a_text_is_read_whatever_it_is_encoded_in(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text
    assert texts(text.encode(encoding), "a.txt")[0][:20] == text[:20]


def test_a_torn_character_in_a_long_text_is_damage_and_not_another_encoding() -> None:
    data = "Größe und Maß. ".encode() * 1_000
    assert decoded(data[:9_000] + b"\xff" + data[9_000:]).count("Größe") >= 999


def test_json_is_lines_of_paths_and_values() -> None:
    data = b'{"fees": [{"class": "Trades", "years": 7.50, "kept": true, "note": null}], "by": "A. Writer"}'
    assert texts(data, "a.json") == [
        "fees[0].class: Trades\nfees[0].years: 7.50\nfees[0].kept: true\nby: A. Writer",
    ]


def test_json_lines_are_one_record_after_the_other_and_what_is_neither_is_text() -> None:
    assert texts(b'{"a": 1}\n{"a": 2}\n', "a.jsonl") == ["a: 1", "a: 2"]
    assert texts(b"{broken: 'json'}", "a.json") == ["{broken: 'json'}"]


@pytest.mark.parametrize("depth", [101, 100_000])
def test_json_that_is_nested_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(DocumentRejected, match="nested more than 100 deep"):
        read(b'{"a":' * depth + b"1" + b"}" * depth, "a.json")


def test_xml_keeps_paragraphs_whole_and_names_data() -> None:
    data = (
        b"<doc><fee currency='EUR'>40</fee><para>Paid <b>monthly</b> in <i>ad</i>vance.</para><item>Basic</item></doc>"
    )
    assert texts(data, "a.xml") == ["fee: 40\nPaid monthly in advance.\nBasic"]


PAGE = b"""<html><head><title>Fee list</title><meta name="author" content="A. Writer">
<meta property="article:published_time" content="2026-06-01"></head><body><h1>Fees</h1>
<p>See <a href="https://bank.example/x">the <b>terms</b></a> and <a href="#top">above</a>.</p>
<ol start="3"><li>third</li><li> <p><b>fourth</b></p></li></ol><nav>Home</nav><dl><dt>Trade</dt><dd>A purchase.</dd></dl>
<details><summary>More</summary>Unfolded.</details><p style="display: none">planted</p><p hidden>planted</p>
<table><caption>Scale</caption><tr><th>Class</th><th>Years</th></tr><tr><td>Trades</td><td>7</td></tr></table>
<figure><img src="x.png"><figcaption>A chart.</figcaption></figure></body></html>"""


def test_a_web_page_is_read_in_full_and_what_it_hides_is_not() -> None:
    parsed = read(PAGE, "a.html")
    assert [element.text for element in parsed.elements] == [
        "Fees",
        "See the terms (https://bank.example/x) and above.",
        "3. third",
        "4. fourth",
        "Trade",
        "A purchase.",
        "More",
        "Unfolded.",
        "Scale",
        "Class | Years\nTrades | 7",
        "A chart.",
    ]
    assert (parsed.title, parsed.facts) == ("Fee list", DocumentFacts("A. Writer", "2026-06-01"))


def test_markdown_keeps_numbers_and_addresses() -> None:
    assert texts(b"See [the terms](https://bank.example/x).\n\n1. one\n2. two\n", "a.md") == [
        "See the terms (https://bank.example/x).",
        "1. one",
        "2. two",
    ]


def test_a_book_gives_its_chapters_in_their_order() -> None:
    assert [(element.kind, element.text) for element in read(made.epub(), "a.epub").elements] == [
        (ElementKind.HEADING, "Chapter one"),
        (ElementKind.TEXT, "Call the desk first."),
    ]


def test_a_tag_crowded_with_attributes_is_refused_and_a_picture_in_one_is_not() -> None:
    with pytest.raises(DocumentRejected, match="attributes"):
        read(b"<p " + b" ".join(b"a%d=1" % number for number in range(50_000)) + b">words</p>", "a.html")
    picture = b'<p>Words.</p><img src="data:image/png;base64,' + b"iVBO Rw0K" * 50_000 + b'">'
    assert texts(picture, "a.html") == ["Words."]


def test_markdown_made_to_be_slow_is_read_all_the_same() -> None:
    assert texts(b"[" * 5_000 + b" words", "a.md") == ["words"]


def test_entities_a_book_defines_are_not_read() -> None:
    page = b"<!DOCTYPE html [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><html><body><p>Words.</p></body></html>"
    assert texts(made.with_part(made.epub(), "c.xhtml", page), "a.epub") == ["Words."]
