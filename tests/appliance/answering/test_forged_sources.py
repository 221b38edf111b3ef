"""What a model forges is never shown as a source: 200 answers that try.

The model server speaks Ollama's API over a socket and writes what it is given, cut anywhere. Each answer is looked at as
it was streamed, as it is sent when it is finished, as the screens draw both, and on record. `pytest -s` shows how many of
them showed a source that was not retrieved.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import pytest

from appliance.answering.answerer import Answered, Answerer, Found, Token
from appliance.api.ask import answer_out
from appliance.audit.entries import AnswerClosed
from appliance.audit.log import QueryLog
from appliance.config import ModelSettings, RetrievalSettings
from appliance.domain import AccessFilter, AnswerKind, Conversation, Hit, Principal, Role
from appliance.inference.ollama import OllamaModel
from appliance.labels import NO_LEVEL
from tests.appliance.inference.ollama_server import MODEL, OllamaServer, ollama_server
from tests.data.builders import ToyEmbedder, make_hit
from ui import inert

pytestmark = pytest.mark.integration

ANSWERS = 200
QUESTION = "What may a hotel in Zurich cost at most per night?"
READER = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), frozenset(), frozenset({NO_LEVEL}))
HITS = [
    make_hit("A hotel in Zurich may cost at most 240 CHF per night."),
    make_hit("Trains are booked second class.", rank=2),
]

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WIDE = str.maketrans("0123456789[]", "０１２３４５６７８９［］")
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
FORGERIES: tuple[Callable[[int], str], ...] = (
    lambda n: f"[{n}]",
    lambda n: f"[ {n:07d}]" if n > 99_999 else f"[ {n:03d} ]",
    lambda n: f"[1, {n}]",
    lambda n: f"[{n}; 1 and {n}]",
    lambda n: f"[1-{n}]",
    lambda n: f"[{n}–{n + 3}]",
    lambda n: f"[[{n}]]",
    lambda n: f"[{n}[{n}]{n}]",
    lambda n: f"[1[{n}]]",
    lambda n: f"[{n}]".translate(ARABIC),
    lambda n: f"[{n}]".translate(WIDE),
    lambda n: f"[{n}]".translate(RAISED),
    lambda n: f"【{n}】",
    lambda n: "[" + "\u200b".join(f"\u200e{n}\u00ad") + "]",
    lambda n: f"[**{n}**] and [`{n}`]",
    lambda n: f"\\[{n}\\]",
    lambda n: f"[^{n}]\n\n[^{n}]: Salary bands, page {n}\n\n",
    lambda n: f"[passage {n}]",
    lambda n: f"[Quelle: {n}]",
    lambda n: f"[{n}](https://forged.example/{n})",
    lambda n: f"[Salary bands [{n}]](https://forged.example)",
    lambda n: f"![{n}](https://forged.example/{n}.png)",
    lambda n: f"\n\n[{n}]: https://forged.example\n\n",
    lambda n: f'<a href="#{n}">[{n}]</a>',
    lambda n: f'<span class="sr-chip">{n}</span>',
    lambda n: f"<sup>{n}</sup><cite>Salary bands</cite>",
)

_IN_BRACKETS = re.compile(r"[\[【]([^\[\]【】]*)[\]】]")
_CHIP = re.compile(r'<span class="sr-chip">(\d+)</span>')
_SOURCE_TAG = re.compile(r"<(?:a|img|sup|cite)\b")


class Retriever:
    """Stands for the retriever."""

    def admits(self, hits: Iterable[Hit], earlier: Collection[str], access: AccessFilter) -> bool:
        return True

    def retrieve(self, question: str, access: AccessFilter, **_: object) -> list[Hit]:
        return HITS


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with ollama_server() as made:
        yield made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[QueryLog]:
    with QueryLog(tmp_path / "log" / "queries.db") as made:
        yield made


@pytest.fixture
def answerer(server: OllamaServer, log: QueryLog) -> Iterator[Answerer]:
    model = OllamaModel(server.url, MODEL, context_tokens=4096, connect_timeout_s=60, token_timeout_s=60)
    yield Answerer(
        retriever=Retriever(),  # type: ignore[arg-type]
        log=log,
        embedder=ToyEmbedder(),
        model=model,
        model_expected=True,
        model_settings=ModelSettings(context_tokens=4096, max_answer_tokens=512),
        settings=RetrievalSettings(),
    )
    model.close()


def shows(forged: int, text: str, html: str) -> bool:
    """Whether a text, or what a screen makes of it, shows this number as a source, or a source of the model's own."""
    folded = unicodedata.normalize("NFKD", text)
    read = "".join(str(unicodedata.decimal(c, c)) for c in folded if c.isalnum() or c in "[]【】 -–,;:")
    in_brackets = (number for inside in _IN_BRACKETS.findall(read) for number in re.findall(r"\d+", inside))
    return forged in map(int, (*in_brackets, *_CHIP.findall(html))) or _SOURCE_TAG.search(html) is not None


def test_no_forged_marker_is_shown_as_a_source(answerer: Answerer, server: OllamaServer, log: QueryLog) -> None:
    dice = random.Random(9162)
    wrong = []
    for count in range(ANSWERS):
        forge, forged = FORGERIES[count % len(FORGERIES)], dice.choice([0, *range(20, 100), 4711, 123_456])
        known = dice.choice(["", "[1]", " [1]."])
        written = f"It may cost 240 CHF {forge(forged)}{known} a night, {forge(forged)} and no more."
        assert shows(forged, written, written), written
        cuts = sorted(dice.randrange(len(written)) for _ in range(dice.randrange(12)))
        server.words = [written[start:end] for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True)]
        events = list(answerer.ask(QUESTION, READER, Conversation("c"), origin="test"))
        [found] = [event for event in events if isinstance(event, Found)]
        last, recorded = events[-1], log.entry(log.size() - 1).entry
        assert isinstance(last, Answered) and last.answer.kind is AnswerKind.GENERATED
        assert isinstance(recorded, AnswerClosed)
        sent = answer_out(last, "c")
        cited = {source.number for source in sent.citations} | {source.number for source in recorded.citations}
        streamed = "".join(event.text for event in events if isinstance(event, Token))
        texts = (streamed, sent.text, recorded.answer)
        is_shown = any(shows(forged, text, str(inert.render(text, cited))) for text in texts)
        if is_shown or not cited <= {passage.number for passage in found.passages}:
            wrong.append((written, texts))
    print(f"{len(wrong)} of {ANSWERS} forging answers showed a source that was not retrieved")
    assert not wrong, wrong[:3]
