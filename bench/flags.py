"""What flags cost, and how often ordinary text raises them.

    python -m bench.flags [--questions FILE.jsonl ...] [--texts FOLDER ...]

Reads the sample questions and whatever else is named: questions as JSON lines with a field "question", texts as files of
Markdown or plain text and as JSON lines with a field "text". Prints counts and times, never a text.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.flags.instructions import told_to_models
from appliance.flags.personal_data import personal_data

SAMPLES = Path(__file__).parents[1] / "samples" / "questions.jsonl"
PIECE = 1_000
"""Characters of a passage, about as many as there are in one."""


def fields(path: Path, name: str) -> Iterator[str]:
    """One field of every line of a file."""
    with path.open(encoding="utf-8") as lines:
        yield from (str(json.loads(line).get(name, "")) for line in lines)


def pieces(folder: Path) -> Iterator[str]:
    """Everything in a folder that is text, cut to the length of a passage."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".jsonl":
            texts = fields(path, "text")
        elif path.suffix in (".md", ".txt"):
            texts = iter([path.read_text("utf-8", "replace")])
        else:
            continue
        for text in texts:
            yield from (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def measure(what: str, texts: Iterator[str], look: Callable[[str], list[str]]) -> None:
    """Print how many of the texts raise what, and what it costs."""
    found: Counter[str] = Counter()
    took: list[float] = []
    for text in texts:
        began = time.process_time()
        raised = look(text)
        took.append(time.process_time() - began)
        found.update(raised)
    if took:
        took.sort()
        mean, tail = sum(took) / len(took), took[int(len(took) * 0.99)]
        print(f"{what}: {len(took):,} texts, mean {mean * 1e6:.0f} µs, p99 {tail * 1e6:.0f} µs, raised: {dict(found)}")


def main() -> None:
    """Measure the samples and what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=Path, nargs="*", default=[])
    parser.add_argument("--texts", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    for path in (SAMPLES, *given.questions):
        measure(
            str(path),
            fields(path, "question"),
            lambda text: [*(it.flag.value for it in personal_data(text)), *told_to_models(text)],
        )
    for folder in given.texts:
        measure(str(folder), pieces(folder), lambda text: list(told_to_models(text)))


if __name__ == "__main__":
    main()
