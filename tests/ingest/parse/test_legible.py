from __future__ import annotations

import pytest

from ingest.parse.legible import LEGIBLE, legibility

READABLE = {
    "English": "The board reviewed the annual report and approved the dividend for the fiscal year under section 9(b).",
    "German": "Rechtsschutzversicherungsgesellschaften verpflichten sich, Schadensersatzansprüche strengstens durchzusetzen.",
    "Polish": "Przedsiębiorstwo zobowiązuje się do wszczęcia postępowania sprawdzającego względem pracowników.",
    "Greek": "Η Ευρωπαϊκή Ένωση δημιουργήθηκε με σκοπό την ειρήνη και την ευημερία των πολιτών της.",
    "Russian": "Общество обязуется хранить торговые записи в течение семи лет со дня их составления.",
    "Hindi": "भारत गणराज्य दक्षिण एशिया में स्थित भारतीय उपमहाद्वीप का सबसे बड़ा देश है",
    "Chinese": "公司 应当 保存 交易 记录 七年 自 记录 之日 起 算 并 每季度 复核 一次",
    "a table": "Net sales $ 32,765 $ 30,109 Cost of sales (16,682) EBITDA 12.4% GAAP FY2026 CHF ISIN CH0012005267 Q3 bps",
    "code": "def parse(data, max_pages): yield from read(page) except ValueError as error: raise getElementById('x')",
    "formulas": "∑i=1 αi βij ≤ ∫0 f(x)dx ⇒ λmax(A) = maxx ∂L/∂θ exp(−βE) log p(y|x) subject to constraints where xij denotes",
    "addresses": "https://docs.bank.example/x?y=z1 desk@bank.example www.bank.example/a_b C:\\Records\\2026\\kq.xlsx",
    "bullets of a symbol font": "\uf0b7 Records are kept \uf0b7 Mail is kept \uf0b7 Calls are kept for seven years",
}

GARBAGE = {
    "bad text recognition": "tbe 3s«»teership oí thc c0mpany wiJl b¢ 3sk€d tø rcview lhe ànnua1 rep°rt wh3ther sh€ll qu4rt€r upõn",
    "a wrong encoding": "Ð¿ÑÐ¸Ð²ÐµÑ Ð¼Ð¸Ñ ÑÑÐ¾ ÑÐµÐºÑÑ ÐºÐ¾ÑÐ¾ÑÑÐ¹ Ð±ÑÐ» Ð¿Ð»Ð¾ÑÐ¾",
    "private characters": " ".join(chr(0xE000 + n) * 5 for n in range(30)),
    "replacement characters": "\ufffd\ufffd\ufffdort \ufffd\ufffd\ufffdual \ufffd\ufffd\ufffdend " * 5,
    "letters without vowels": "xkcdfg hjklmnp qrstvwx zbcdfg hjklmn pqrstvw xzbcdf ghjklmn pqrstvw xzbcdfg",
}


@pytest.mark.parametrize("text", READABLE.values(), ids=READABLE.keys())
def test_what_people_write_is_legible(text: str) -> None:
    assert legibility(text.split()) >= LEGIBLE + 0.15


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_not(text: str) -> None:
    assert legibility(text.split()) < LEGIBLE


def test_a_shifted_alphabet_is_found_by_its_rare_letters() -> None:
    text = "The retention period for trading records is seven years and begins on the day the record was made. " * 3
    shifted = "".join(chr((ord(c) - 97 + 3) % 26 + 97) if c.islower() else c for c in text.lower())
    assert legibility(shifted.split()) < LEGIBLE < legibility(text.split())


def test_too_little_text_says_nothing() -> None:
    assert legibility(["xkcdfg", "\ue000\ue001"]) == 1.0
    assert legibility([]) == 1.0
