"""Measures how often a question after another one is taken wrongly: for a follow-up, or for one that stands by itself.

    python bench/followups.py SET ...

Each SET is a folder of evaluation material (see `bench/corpora.py`): its questions were asked of documents and not after
one another, so each that the rules take for a follow-up is a false merge (a few do lean on something, as "this report").
Follow-ups are those of `bench/followups.txt`, which were written for this; each that is not taken for one is a miss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from corpora import questions

from appliance.answering.followup import is_follow_up

_WRITTEN = Path(__file__).with_name("followups.txt")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    given = parser.parse_args()
    for folder in given.sets:
        asked = list(dict.fromkeys(question.text for question in questions(folder)))
        if not asked:
            raise SystemExit(f"{folder} holds no question (queries*.jsonl).")
        merged = sum(map(is_follow_up, asked))
        print(f"{folder.name:16} {len(asked):5} questions, taken for follow-ups {merged / len(asked):6.1%}")
    written = [line.split("\t")[1] for line in _WRITTEN.read_text("utf-8").splitlines() if "\t" in line]
    missed = [question for question in written if not is_follow_up(question)]
    print(f"{'follow-ups':16} {len(written):5} questions, missed {len(missed) / len(written):6.1%}")


if __name__ == "__main__":
    main()
