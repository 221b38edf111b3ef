"""Measures how well the check of an answer tells what its passages say from what they do not.

    python bench/grounding.py SET...

Each SET is a folder of evaluation material (see `bench/corpora.py`) whose questions have an `answer` that a person wrote and
`evidence` with a `quote`, or claims whose evidence is a passage of `corpus.jsonl`. An answer is checked against its own
evidence, and against that of a question further on: the first should stand, the second should not. Printed is, for each
threshold of the share of words, how many of the statements stand either way; numbers decide in every row.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.answering.grounding import grounding
from appliance.domain import Chunk, Citation, Hit, Place, StatementCheck

_AWAY = 7  # places further on is another answer's evidence: the next ones are often of the same document
_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """What was said, and the passage it was said from."""
    corpus = _corpus(folder / "corpus.jsonl")
    for path in sorted(folder.glob("queries*.jsonl")):
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            evidence = "\n".join(_quote(item, corpus) for item in row["evidence"])
            if row["answerable"] and evidence:
                said = row.get("answer") or row["question"]  # a claim is its own answer
                yield said, evidence


def _corpus(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {row["id"]: f"{row['title']}\n{row['text']}" for row in map(json.loads, lines)}


def _quote(item: dict[str, Any], corpus: dict[str, str]) -> str:
    if item.get("label") == "CONTRADICT":
        return ""
    return str(corpus.get(item["doc"]) or item.get("quote") or "")


def _checked(said: str, passage: str) -> tuple[StatementCheck, ...]:
    chunk = Chunk("", "", "", 0, passage, "", Place(), "en", 0)
    return grounding(said, [Citation(1, Hit(chunk, "", "", "", "", 1.0, 1))], "en").statements


def _stand(checks: list[StatementCheck], threshold: float) -> float:
    return sum(check.score >= threshold and not check.numbers_missing for check in checks) / len(checks)


def main() -> None:
    """The command line."""
    for name in sys.argv[1:]:
        pairs = list(_pairs(Path(name)))
        if len(pairs) < 2:
            raise SystemExit(
                f"{name} holds no two answers with their evidence (queries*.jsonl): there is no other one."
            )
        passages = [passage for _, passage in pairs]
        away = min(_AWAY, len(pairs) - 1)
        own = [check for said, passage in pairs for check in _checked(said, passage)]
        other = [check for (said, _), passage in zip(pairs, passages[away:] + passages[:away], strict=True)
                 for check in _checked(said, passage)]  # fmt: skip
        numbers = [[check for check in some if check.numbers_missing] for some in (own, other)]
        print(f"{Path(name).name}: {len(own)} statements; with a number that is missing: own {len(numbers[0])}, "
              f"other {len(numbers[1])}")  # fmt: skip
        for threshold in _THRESHOLDS:
            print(f"  {threshold:.1f}  own {_stand(own, threshold):6.1%}   other {_stand(other, threshold):6.1%}")


if __name__ == "__main__":
    main()
