"""Measures quoted answers: how often a quotation holds the words that answer the question.

    python bench/extraction.py --index FOLDER SET ...

Each SET is a folder of evaluation material (see `bench/corpora.py`) whose answerable questions have the words of their answer.
Printed is how often they stand in what is quoted, how often in the part that is highlighted, and, as the ceiling, how often
in the passages that were quoted from.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from corpora import READERS, opened_set, questions

from appliance.answering.extract import extract
from appliance.domain import Citation
from appliance.retrieval.superseded import packed

_MOST_QUESTIONS = 500
_QUOTED_FROM = 3  # passages


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--index", type=Path, required=True)
    given = parser.parse_args()
    for folder in given.sets:
        asked = [one for one in questions(folder) if one.answerable and one.answers]
        if not asked:
            raise SystemExit(f"{folder} holds no answerable question with the words of its answer (queries*.jsonl).")
        asked = random.Random(1).sample(asked, min(len(asked), _MOST_QUESTIONS))
        counts = [0, 0, 0]
        with opened_set(folder, given.index) as appliance:
            for one in asked:
                found = appliance.retriever.retrieve(one.text, READERS)
                hits = packed(found, appliance.settings.retrieval.passages)
                passages = [Citation(number, hit) for number, hit in enumerate(hits, start=1)]
                made = extract(one.text, passages, appliance.embedder)
                marked = "\n".join(made.text[start:end] for start, end in made.highlights)
                whole = "\n".join(hit.chunk.text for hit in hits[:_QUOTED_FROM])
                for number, text in enumerate((made.text, marked, whole)):
                    counts[number] += any(answer.casefold() in text.casefold() for answer in one.answers)
        quoted, highlighted, there = (count / len(asked) for count in counts)
        print(f"{folder.name:12} {len(asked)} questions: quoted {quoted:.1%}, highlighted {highlighted:.1%}, "
              f"in the passages {there:.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
