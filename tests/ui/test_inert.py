"""Untrusted text becomes HTML that can do nothing, and stays readable."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.growth import assert_linear
from tests.ui.payloads import PAYLOADS
from ui.inert import Mark, label, one_line, plain, quoted, render, text

ALLOWED = {
    "div": {"class", "dir"},
    "span": {"class"},
    "mark": {"class"},
    "ol": {"start"},
    **{
        name: set()
        for name in (
            "p br ul li h3 h4 h5 h6 strong em code pre table thead tbody tr th td".split()  # noqa: SIM905
        )
    },
}
VOID = {"br"}
CLASSES = {"sr-text", "sr-chip", "sr-scroll", "sr-address", "sr-doubt", "sr-hidden"}
HIDDEN = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\U000e0000-\U000e0fff\x00-\x08\x0e-\x1f\x7f-\x9f]"
)


class _Inspector(HTMLParser):
    """Collects what a browser would make of the HTML, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ALLOWED.get(tag, set()):
                self.problems.append(f"{tag}[{name}]")
            if name == "class" and value not in CLASSES:
                self.problems.append(f"class={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> does not match")

    def handle_comment(self, data: str) -> None:
        self.problems.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("instruction")

    def handle_data(self, data: str) -> None:
        self.text += data


def inspected(html: str) -> _Inspector:
    inspector = _Inspector()
    inspector.feed(html)
    inspector.close()
    return inspector


def assert_inert(html: str) -> _Inspector:
    found = inspected(html)
    assert found.problems == []
    assert found.open == []
    return found


def test_there_are_enough_payloads_to_mean_something() -> None:
    assert len(set(PAYLOADS)) >= 150


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_text_stays_letters(payload: str) -> None:
    found = assert_inert(render(payload, {1, 2}))
    assert not HIDDEN.search(found.text)
    assert_inert(text(payload))
    assert inspected(text(payload)).text == plain(payload)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_text_stays_letters_wherever_streaming_cuts_it(payload: str) -> None:
    for end in range(1, min(len(payload), 120)):
        assert_inert(render(payload[:end], {1, 2}))


@given(st.text(alphabet=st.sampled_from("<>&\"'`*_#|[]()-+.:!~\\/ \n\t019abc\u202e\u200b\ufe0f\ud800é"), max_size=200))
def test_any_mixture_of_signs_is_inert(untrusted: str) -> None:
    assert_inert(render(untrusted, {1, 9}))
    render(untrusted, {1}).encode("utf-8")


@given(
    st.text(alphabet=st.sampled_from("<>&*_#|[]-.`\n 19ab\ue000\ue001"), max_size=120),
    st.lists(st.integers(0, 120), max_size=8, unique=True),
    st.sampled_from(Mark),
)
def test_whatever_is_marked_stays_inert_and_every_tag_closed(untrusted: str, edges: list[int], mark: Mark) -> None:
    ends = sorted(edges)
    found = assert_inert(render(untrusted, {1, 9}, marked=list(zip(ends[::2], ends[1::2], strict=False)), mark=mark))
    assert "\ue000" not in found.text and "\ue001" not in found.text


@pytest.mark.parametrize(
    "source",
    [
        "| a | 5 |\n|---|---|\n| b | 7 |\nrest",
        "- one 5\n- two 7\n\n3. three",
        "```\ncode 5\n```\nrest",
        "## A heading of 5\nrest",
        "words\n\n  1) one\n```\nx\n```",
        "“\na | 5\ngroup:\n| 7 | b\n• c | 9\n” [1]",
        "“\na | 2025\nc | 9\n” [1]",
        "“…\na | 2025\nc | 9\n…” [1]",
        "“…\na | 5\nc | 9\n”He. [1]",
    ],
)
def test_a_mark_changes_no_block_wherever_it_begins_and_ends(source: str) -> None:
    bare = render(source, rows=True)
    for start in range(len(source)):
        for end in range(start + 1, len(source) + 1):
            marked = render(source, marked=[(start, end)], rows=True)
            assert re.sub("</?mark>", "", marked) == bare, (start, end)


def test_a_mark_stands_around_what_is_marked_in_text_lists_tables_and_bold() -> None:
    source = "It is 12 and **bold 34**.\n\n- item 56\n\n| a | b |\n|---|---|\n| 78 | 9 |"
    spans = [found.span() for found in re.finditer("12|34|56|78", source)]
    marks = re.findall(r"<mark>([^<]*)</mark>", render(source, marked=spans))
    assert marks == ["12", "34", "56", "78"]


def test_a_number_that_was_not_found_says_so_without_its_colour_too() -> None:
    found = inspected(render("It is 12.", marked=[(6, 8)], mark=Mark.NOT_FOUND))
    assert found.text == "It is 12 (not found in the cited passages)."


@given(st.text(max_size=300))
def test_any_text_is_inert_and_can_be_sent(untrusted: str) -> None:
    assert_inert(render(untrusted)).text.encode("utf-8")
    label(untrusted).encode("utf-8")


def test_paragraphs_lists_headings_and_emphasis_are_shown() -> None:
    html = render("# Title\n\nOne **bold** and *slanted* line.\nNext line.\n\n- a\n- b\n  - c\n\n1. x\n2. y")
    assert html == (
        '<div class="sr-text" dir="auto"><h3>Title</h3>'
        "<p>One <strong>bold</strong> and <em>slanted</em> line.<br>Next line.</p>"
        "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol><li>x</li><li>y</li></ol></div>"
    )


def test_code_is_kept_as_it_is() -> None:
    html = render("Use `a < b` here.\n\n```python\nx = '**not bold**' # [1]\n```", {1})
    assert "<code>a &lt; b</code>" in html
    assert "<pre><code>x = &#x27;**not bold**&#x27; # [1]</code></pre>" in html


def test_a_table_is_shown_as_a_table() -> None:
    html = render("| Record | Years |\n|:---|---:|\n| Treaty | 10 [1] |", {1})
    assert "<th>Record</th><th>Years</th>" in html
    assert '<td>Treaty</td><td>10 <span class="sr-chip">1</span></td>' in html


def test_rows_of_what_was_read_from_documents_are_shown_as_rows() -> None:
    quotation = "“Weeks:\nLeave | Weeks\nOf parents:\n| 16\n…\n• Other | *2*\nAsk <b>.\n” [1]"
    html = render(quotation, {1}, rows=True)
    assert html == (
        '<div class="sr-text" dir="auto"><p>“Weeks:</p><div class="sr-scroll"><table>'
        "<thead><tr><th>Leave</th><th>Weeks</th></tr></thead><tbody><tr><td>Of parents:</td><td></td></tr><tr><td></td><td>16</td></tr>"
        "<tr><td>…</td><td></td></tr><tr><td>• Other</td><td><em>2</em></td></tr></tbody></table></div>"
        '<p>Ask &lt;b&gt;.<br>” <span class="sr-chip">1</span></p></div>'
    )
    assert "<table>" not in render("cat a | grep b\ncat c | grep d")


TABLE = (
    '<div class="sr-scroll"><table><thead><tr><th>City</th><th>EUR</th></tr></thead>'
    "<tbody><tr><td>Bern</td><td>180</td></tr></tbody></table></div>"
)


@pytest.mark.parametrize(
    ("quotation", "shown"),
    [
        ("“\nCity | EUR\nBern | 180\n” [1]", f"{TABLE}<p>CHIP</p>"),
        ("“Rates a night.\nCity | EUR\nBern | 180\n” [1]", f"<p>“Rates a night.”</p>{TABLE}<p>CHIP</p>"),
        ("“\nCity | EUR\nBern | 180\nAsk early.” [1]", f"{TABLE}<p>“Ask early.” CHIP</p>"),
        ("“Note.\nCity | EUR\nBern | 180\nAsk early.” [1]", f"<p>“Note.</p>{TABLE}<p>Ask early.” CHIP</p>"),
        ("“\nCity | EUR\nBern | 180\n…” [1]", f"{TABLE}<p>… CHIP</p>"),
        ("“…\nCity | EUR\nBern | 180\n…” [1]", f"<p>…</p>{TABLE}<p>… CHIP</p>"),
        ("“…\nCity | EUR\nBern | 180\n” [1]", f"<p>…</p>{TABLE}<p>CHIP</p>"),
        ("“…\nCity | EUR\nBern | 180\nAsk early.” [1]", f"<p>…</p>{TABLE}<p>“Ask early.” CHIP</p>"),
        ("“Note.\nCity | EUR\nBern | 180\n…” [1]", f"<p>“Note.”</p>{TABLE}<p>… CHIP</p>"),
        ("“\nCity | EUR\nBern | 180\n”He said” [1]", f"{TABLE}<p>“”He said” CHIP</p>"),
        ("“Note.\nCity | EUR\nBern | 180\n”\nHe.” [1]", f"<p>“Note.</p>{TABLE}<p>”<br>He.” CHIP</p>"),
        ("“Note.\n“\nCity | EUR\nBern | 180\n” [1]", f"<p>“Note.”<br>“</p>{TABLE}<p>CHIP</p>"),
    ],
)
def test_a_table_in_a_quotation_has_no_quotation_marks_which_stand_at_the_prose(quotation: str, shown: str) -> None:
    """A figure with a mark behind it ("180”") is so many inches."""
    html = render(quotation, {1}, rows=True)
    chip = '<span class="sr-chip">1</span>'
    assert html == f'<div class="sr-text" dir="auto">{shown.replace("CHIP", chip)}</div>'


@pytest.mark.parametrize(
    ("quotation", "shown"),
    [
        ("“• Lock it.\n• Report it.” [1]", "<ul><li>“Lock it.</li><li>Report it.” CHIP</li></ul>"),
        ("“… - Lock it.” [1]", "<p>…</p><ul><li>“Lock it.” CHIP</li></ul>"),
        ("“3. Stop it.\n4. Start it. …” [1]", '<ol start="3"><li>“Stop it.</li><li>Start it. …” CHIP</li></ol>'),
        ("“7. Incidents\nCall 4747.” [1]", "<p>“7. Incidents<br>Call 4747.” CHIP</p>"),
        ("“• Report it.\n7. Incidents\nCall.” [1]", "<ul><li>“Report it.</li></ul><p>7. Incidents<br>Call.” CHIP</p>"),
        ("“Go.\n7. Incidents” [1]", "<p>“Go.<br>7. Incidents” CHIP</p>"),
        (
            "“1. Stop.\n2. Start.\n3. Repairs\nCall.” [1]",
            "<ol><li>“Stop.</li><li>Start.</li></ol><p>3. Repairs<br>Call.” CHIP</p>",
        ),
        ("“1. Stop.\n2. Start.\n7. Repairs” [1]", "<ol><li>“Stop.</li><li>Start.</li></ol><p>7. Repairs” CHIP</p>"),
        ("“1. Stop\n2. Start\nCall.” [1]", "<ol><li>“Stop</li><li>Start</li></ol><p>Call.” CHIP</p>"),
        ("“1. Scope\nAll.\n  2. Terms\nNone.” [1]", "<p>“1. Scope<br>All.<br>2. Terms<br>None.” CHIP</p>"),
    ],
)
def test_in_a_quotation_lists_are_told_from_headings_and_keep_their_signs(quotation: str, shown: str) -> None:
    chip = '<span class="sr-chip">1</span>'
    assert render(quotation, {1}, rows=True) == f'<div class="sr-text" dir="auto">{shown.replace("CHIP", chip)}</div>'


def test_what_is_marked_stays_so_where_a_quotation_begins_with_an_item() -> None:
    quotation = "“• Report it.\n• Lock it.” [1]"
    html = render(quotation, {1}, marked=[(1, quotation.index("\n"))], rows=True)
    assert "<ul><li>“<mark>Report it.</mark></li><li>Lock it.” " in html
    heading = "“1. Stop.\n2. Go.\n3. Repairs\nCall.” [1]"
    html = render(heading, {1}, marked=[(heading.index("3"), heading.index("\nC"))], rows=True)
    assert "<li>Go.</li></ol><p>3. <mark>Repairs</mark><br>Call.” " in html


def test_a_number_alone_begins_a_list_in_what_a_model_writes() -> None:
    assert "<ol><li>Stop.</li></ol>" in render("1. Stop.")
    assert "<ol><li>Stop.</li><li>Start.</li></ol>" in render("1. Stop.\n1. Start.")


def test_the_time_to_tell_lists_from_headings_grows_with_the_text_and_no_faster() -> None:
    for line in ("“• Stop\n", "“1. Stop\n", "  2. Stop\n", "“… \n"):
        assert_linear(lambda text: render(text, rows=True), line.__mul__, 2_000)


def test_the_quotation_marks_of_one_quotation_are_not_put_into_another() -> None:
    prose, table = "“Ask early.” [1]", "“\nCity | EUR\nBern | 180\n” [2]"
    apart = "".join(render(one, {1, 2}, rows=True) for one in (prose, table))
    together = render(f"{prose}\n\n{table}\n\n{prose}", {1, 2}, rows=True)
    assert [together.count(mark) for mark in "“”"] == [2, 2]
    assert [apart.count(mark) for mark in "“”"] == [1, 1]


def test_a_mark_that_no_row_stands_before_stays_and_a_quotation_ends_once() -> None:
    assert "<p>And<br>” " in render("“…\nBern | 180\n…” [1]\n\nAnd\n” [1]", {1}, rows=True)
    ended = "“Note.\nBern | 180\n” [1]"
    again = render(f"{ended}\nCity | EUR\n” [1]", {1}, rows=True)
    assert "<p>“Note.”</p>" in again
    assert again.count("”") == 2


pieces = st.sampled_from(["“", "”", "…", "“…", "…” [1]", "” [1]", "City | EUR", "Ask.", "”He", "“Note.", ""])


@given(st.lists(pieces))
def test_quotation_marks_are_put_elsewhere_without_a_loss_of_other_signs(lines: list[str]) -> None:
    def rest(text: str) -> str:
        return re.sub(r"[\s“”]|<[^>]*>", "", text).replace("|", "").replace("[1]", "1")

    assert rest(render("\n".join(lines), {1}, rows=True)) == rest("\n".join(lines))


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        ("City | EUR\nBern | 180", "City"),
        ("Site | 2025 | 01.04.2026\nBern | 3 | 4", "Site"),
        ("Item | Budget 2026 | Plan 2026/27\nRevenue | 90 | 97", "Item"),
        ("Item | EUR 12.2026 | 1,2026\nRevenue | 90 | 97", ""),
        ("Name | Zoë\nRole | Clerk", ""),  # it may be a table of pairs
        ("Bern | 180\nGenf | 230", ""),
        ("City | EUR", ""),
        ("City |\nBern | 180", ""),
    ],
)
def test_the_first_row_is_the_head_where_numbers_stand_below_it_alone(rows: str, head: str) -> None:
    for html in (quoted(rows), render(rows, rows=True), render(rows, rows=True, marked=[(0, len(rows))])):
        found = re.findall("<th>([^<]*)</th>", re.sub("</?mark>", "", html))
        assert found[:1] == ([head] if head else [])


def test_a_passage_is_shown_as_it_stands_but_for_its_rows() -> None:
    passage = "# **As** it\n is\nLeave | Weeks\nParental | <16>\n[1] end"
    table = "<table><thead><tr><th>{}</th><th>{}</th></tr></thead><tbody><tr><td>{}</td><td>{}</td></tr></tbody></table></div>"
    cells = ("Leave", "Weeks", "Parental", "&lt;16&gt;")
    assert quoted(passage) == f'# **As** it\n is<div class="sr-scroll">{table.format(*cells)}[1] end'
    marked = [f"<mark>{cell}</mark>" for cell in cells]
    assert quoted(passage, is_marked=True) == (
        f'<mark># **As** it\n is</mark><div class="sr-scroll">{table.format(*marked)}<mark>[1] end</mark>'
    )


@given(st.text(alphabet=st.sampled_from("<>&*_#|[]-.` \n 19ab\ue000\u202e"), max_size=120), st.booleans())
def test_whatever_is_quoted_is_inert(untrusted: str, is_marked: bool) -> None:
    assert_inert(quoted(untrusted, is_marked=is_marked))
    assert_inert(render(untrusted, {1, 9}, rows=True))


def test_only_markers_of_citations_become_chips() -> None:
    html = render("Yes [1], [2, 3] and [4], array[1].", {1, 2, 3})
    assert html.count('<span class="sr-chip">') == 4
    assert "[4]" in html


def test_a_list_that_starts_elsewhere_keeps_its_number() -> None:
    assert '<ol start="3"><li>c</li>' in render("3. c\n4. d")


def test_a_word_with_underscores_is_left_alone() -> None:
    assert "<em>" not in render("ingest.max_file_bytes and snake_case_name, 2 * 3 * 4")


def test_links_and_images_stay_the_characters_they_are_made_of() -> None:
    html = render("[click](https://example.test) ![x](https://example.test/x.png)")
    assert "[click](https://example.test) ![x](https://example.test/x.png)" in html
    assert "<a" not in html
    assert "<img" not in html


def test_joiners_stay_where_a_script_needs_them() -> None:
    assert plain("می\u200cخواهم") == "می\u200cخواهم"
    assert plain("क्\u200dष") == "क्\u200dष"
    assert plain("pay\u200dpal \u200c") == "paypal "


def test_accents_stay_and_piles_of_marks_are_cut() -> None:
    assert plain("e\u0301a\u0308") == "e\u0301a\u0308"
    assert len(plain("x" + "\u0301" * 500)) == 4


def test_half_a_surrogate_pair_does_not_break_the_page() -> None:
    assert render("a\ud800b").encode("utf-8").count(b"\xef\xbf\xbd") == 1


@pytest.mark.parametrize("bait", ["[", "*a", "_a", "`a", "|-", "- ", "**a"])
def test_rendering_takes_time_linear_in_the_length(bait: str) -> None:
    assert_linear(lambda text: render(text, {1}), bait.__mul__, 20_000)


def test_a_label_has_no_sign_that_markdown_or_streamlit_acts_on() -> None:
    made = label("**b** [x](http://evil.test) :smile: :material/home: $x$ <b> `c` www.evil.test a@evil.test")
    assert not re.search("[:@](?!\N{WORD JOINER})|www[.\\\\]", made)
    assert not re.search(r"(?<!\\)[*_`\[\]<>()#|~!$]", made)


def test_a_label_keeps_every_character() -> None:
    for written in (
        "It costs $5 -- or $6 -> see a@b.test: www.b.test",
        "**b** <b> `c` [x](http://b.test) \\ ~= <-> >= x",
    ):
        read = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", label(written)).replace("\N{WORD JOINER}", "")
        assert read == written


def test_a_label_is_one_line_and_short() -> None:
    assert one_line("a\n b\tc\u2028d") == "a b c d"
    assert len(one_line("x" * 500, 60)) == 60
    assert label("plain words, 3 of them") == r"plain words\, 3 of them"


def test_the_address_behind_the_words_of_a_link_is_set_apart_and_stays_whole() -> None:
    passage = "See the rules (https://bank.example/a_b?c=1&d=<2>) and (the annex)."
    plain_words = "See the rules (https://bank.example/rules_of_june) and (the annex)."
    apart = '<span class="sr-address">(https://bank.example/rules_of_june)</span>'
    assert render(plain_words) == f'<div class="sr-text" dir="auto"><p>See the rules {apart} and (the annex).</p></div>'
    assert quoted(plain_words) == f"See the rules {apart} and (the annex)."
    assert quoted(passage) == f"{text(passage)}".replace(
        "(https://bank.example/a_b?c=1&amp;d=&lt;2&gt;)",
        '<span class="sr-address">(https://bank.example/a_b?c=1&amp;d=&lt;2&gt;)</span>',
    )
