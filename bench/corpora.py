"""Opens appliances on folders of evaluation material, for the measurements that need an index and questions.

A set is a folder with `docs/` (files as they are) or `corpus.jsonl` and `*_corpus.jsonl` (one passage a line: `id`,
`title`, `text`), and `queries*.jsonl` (one question a line: `question`, `answerable`, `evidence`). The index of a set is
kept in a folder of its own and brought up to date by an ordinary sync, so a second measurement reads only what changed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

from appliance.domain import EVERYONE, AccessFilter, Hit, Source
from appliance.wiring import Appliance, opened

READERS = AccessFilter(frozenset({EVERYONE}))
"""Who asks in a measurement: everything is labelled for everyone."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a set. `answers` are the words that count as an answer, none when only a passage is known.

    `places` are the files that answer it, and the page of each where it is known. `is_in_text` says whether their text
    does, and not a picture in them.
    """

    text: str
    answerable: bool
    answers: tuple[str, ...]
    places: frozenset[tuple[str, int | None]]
    is_in_text: bool


@contextmanager
def opened_set(folder: Path, kept: Path) -> Iterator[Appliance]:
    """An appliance with the shipped defaults that holds the documents of the set in `folder`."""
    data = kept / folder.name
    documents = folder / "docs"
    if not documents.is_dir():
        documents = data / "texts"
        _write_texts(folder, documents)
    settings = Settings(data_dir=data / "var", model=ModelSettings(provider=Provider.NONE))
    with opened(settings) as appliance:
        _sync(appliance, folder.name, documents)
        yield appliance


def questions(folder: Path) -> list[Question]:
    """The questions of a set, without those that may or may not be answerable."""
    files = sorted(path for path in folder.glob("queries*.jsonl") if "weak" not in path.name)
    lines = (line for path in files for line in path.read_text("utf-8").splitlines())
    return [_question(json.loads(line)) for line in lines]


def _question(row: dict[str, Any]) -> Question:
    answers = row.get("answers") or ([row["answer"]] if row.get("answer") else [])
    places = frozenset(
        (path, piece.get("page"))
        for piece in row.get("evidence", ())
        for path in (piece["doc"], _file_of(piece["doc"]))
    )
    is_in_text = bool(row.get("meta", {}).get("text_answerable", True))
    return Question(row["question"], bool(row["answerable"]), tuple(answers), places, is_in_text)


def is_of(hit: Hit, question: Question) -> bool:
    """Whether a hit is of a file that answers a question, and of the page that does where it is known."""
    pages = {page for path, page in question.places if path == hit.path}
    return None in pages or not pages.isdisjoint(hit.chunk.place.pages)


def _file_of(passage: str) -> str:
    """The file that a passage of a set is written to."""
    return f"{passage}.md"


def _write_texts(folder: Path, documents: Path) -> None:
    documents.mkdir(parents=True, exist_ok=True)
    for path in (folder / "corpus.jsonl", *folder.glob("*_corpus.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            text = documents / _file_of(row["id"])
            if not text.exists():
                text.write_text(f"# {row['title']}\n\n{row['text']}\n", "utf-8")


def _sync(appliance: Appliance, name: str, documents: Path) -> None:
    kept = {source.name: source for source in appliance.catalog.sources()}
    source = kept.get(name)
    if source is None:
        source = Source(str(uuid.uuid4()), name, str(documents.resolve()), frozenset({EVERYONE}), watched=False)
        appliance.catalog.add_source(source)
    for resumed in appliance.runs.latest():  # which the last measurement had left unfinished
        appliance.runs.wait(resumed.id)
    run = appliance.runs.start(source)
    appliance.runs.wait(run.id)
    if run.error:
        raise SystemExit(run.error)
