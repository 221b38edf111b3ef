"""Measures quoted answers: how often a quotation holds the words that answer the question.

    python bench/extraction.py --index FOLDER SET ...

Each SET is a folder of evaluation material (see `bench/corpora.py`) whose answerable questions have the words of their answer.
Printed is how often they stand in what is quoted, how often in what is highlighted, and, as the ceiling, how often in the
passages that may be quoted; and how many highlights lie in a document that answers the question (of PDFs, on the page that
does), and how many elsewhere.
Questions that only a picture answers are left out, and what is not put to a reader at all (decision 22) is quoted here.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

from corpora import READERS, is_of, opened_set, questions

from appliance.answering.extract import laid_out, quotations
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
        asked = [one for one in questions(folder) if one.answerable and one.answers and one.is_in_text]
        if not asked:
            raise SystemExit(f"{folder} holds no answerable question with the words of its answer (queries*.jsonl).")
        asked = random.Random(1).sample(asked, min(len(asked), _MOST_QUESTIONS))
        counts, marks = [0, 0, 0], Counter[bool]()
        with opened_set(folder, given.index) as appliance:
            for one in asked:
                found = appliance.retriever.retrieve(one.text, READERS)
                hits = packed(found, appliance.settings.retrieval.passages)
                passages = [Citation(number, hit) for number, hit in enumerate(hits, start=1)]
                quoted = quotations(one.text, passages, appliance.embedder)
                made = laid_out(quoted)
                marks.update(is_of(quote.passage.hit, one) for quote in quoted if quote.is_marked)
                marked = "\n".join(made.text[start:end] for start, end in made.highlights)
                may_be = (*hits[:_QUOTED_FROM], *(quote.passage.hit for quote in quoted))
                whole = "\n".join(hit.chunk.text for hit in may_be)
                for number, text in enumerate((made.text, marked, whole)):
                    counts[number] += any(answer.casefold() in text.casefold() for answer in one.answers)
        in_quotes, highlighted, there = (count / len(asked) for count in counts)
        print(f"{folder.name:12} {len(asked)} questions: quoted {in_quotes:.1%}, highlighted {highlighted:.1%}, "
              f"in the passages {there:.1%}; highlights in the right place {marks[True]}, elsewhere {marks[False]}")  # fmt: skip


if __name__ == "__main__":
    main()
