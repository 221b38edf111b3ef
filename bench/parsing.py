"""Parses a folder of real files through the sandbox and says what came of it, per format.

    python bench/parsing.py FOLDER [--only EXT,EXT] [--outcomes] [--missed] [--against unstructured]

FOLDER has `docs/` and `manifest.jsonl`: one JSON object a line with doc (the file's name), ext, category ("malformed"
and "encrypted" files among them), and what its text must and must not contain: must_contain, must_not_contain,
hard_contain (wanted, but some of it is a matter of taste; counted apart).

Rules of the score: upper and lower case matter; runs of blanks and the bars between table cells count as one blank;
both sides are cleaned as the parser cleans text. A string of a file that was not read is missed. A file "read" gave
text, its own or that of a file in it; "password" means reported as encrypted; "failed" means damaged, given up or
without text; "refused" is everything else that was turned down with a reason. "error" must be 0.

`--outcomes` lists every malformed and encrypted file with what was said about it, `--missed` every string that was not
found. `--against unstructured` reads each file with that library's `partition` too, right after us: as it is installed
here (without its extras for PDF and images, which bring torch; with a blank language model where it would download
one), loaded beforehand like our worker, in a process of the same priority without network and under limits. Speeds are
of files that were read (by both); comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docx
import openpyxl  # type: ignore[import-untyped]
import pptx
from reportlab.pdfgen.canvas import Canvas

from appliance.config import IngestSettings, go_offline

go_offline()

from appliance.errors import ApplianceError, DocumentNeedsPassword, DocumentUnreadable
from ingest.parse.elements import clean_text
from ingest.parse.sandbox import ParserPool

_AGAINST_TIMEOUT_S = 30
_AGAINST_BYTES = 4 * 1024**3
_WORDS = "These are words enough to guess their language by, which is done with what loads at first use. " * 5
_FIRST = {
    "a.html": f"<p>{_WORDS}</p>".encode(),
    "a.csv": b"a,b\n1,2\n",
    "a.txt": _WORDS.encode("utf-16"),
    "a.md": f"# Words\n\n{_WORDS}".encode(),
}
_OUTCOMES = ("read", "refused", "failed", "password", "error")


@dataclass(frozen=True, slots=True)
class Sample:
    """One file and what is expected of it."""

    path: Path
    ext: str
    category: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    hard: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file: how it ended, its text, the reason if there is none, how long it took, its pages, files in it."""

    ended: str
    text: str
    reason: str
    seconds: float
    pages: int = 0
    has_files: bool = False


@dataclass(slots=True)
class Score:
    """What came of the files of one format."""

    ended: Counter[str] = field(default_factory=Counter)
    wanted: int = 0
    found: int = 0
    wanted_of_read: int = 0
    unwanted: int = 0
    hard: int = 0
    hard_found: int = 0
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")

    def add(self, sample: Sample, outcome: Outcome) -> None:
        """Count one file."""
        text = _plain(outcome.text)
        self.ended[outcome.ended] += 1
        self.wanted += len(sample.wanted)
        self.wanted_of_read += len(sample.wanted) if outcome.ended == "read" else 0
        self.found += sum(_plain(string) in text for string in sample.wanted)
        self.unwanted += sum(_plain(string) in text for string in sample.unwanted)
        self.hard += len(sample.hard)
        self.hard_found += sum(_plain(string) in text for string in sample.hard)
        self.seconds += outcome.seconds
        self.slowest = max(self.slowest, (outcome.seconds, sample.path.name))


def read_manifest(folder: Path, only: frozenset[str]) -> list[Sample]:
    """The files of a folder, of the formats in `only` if there are any in it."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines() if line.strip()]
    return [
        Sample(folder / "docs" / row["doc"], row["ext"], row["category"], *(_strings(row, name) for name in _EXPECTED))
        for row in rows
        if not only or row["ext"] in only
    ]


_EXPECTED = ("must_contain", "must_not_contain", "hard_contain")


def _strings(row: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(string for string in row.get(name, ()) if _plain(string))


def _plain(text: str) -> str:
    return " ".join(clean_text(text).replace("|", " ").split())


def text_of(parsed: Any) -> str:
    """All that was read: title, labels and elements, and those of the files in it."""
    lines = [parsed.title]
    for element in parsed.elements:
        lines += [element.label, element.text] if element.label else [element.text]
    for member in getattr(parsed, "members", ()):
        lines += [member.path, text_of(member.parsed) if member.parsed else ""]
    return "\n".join(lines)


def pages_of(parsed: Any) -> int:
    """Its pages, slides or sheets, and those of the files in it; 0 for what has none."""
    return len(parsed.pages) + sum(
        pages_of(member.parsed) for member in getattr(parsed, "members", ()) if member.parsed
    )


def through_the_sandbox(pool: ParserPool, path: Path) -> Outcome:
    """What the appliance makes of a file."""
    start, pages, has_files = time.perf_counter(), 0, False
    try:
        parsed = pool.parse(path, name=path.name)
        ended, text, reason = "read", text_of(parsed), ""
        pages, has_files = pages_of(parsed), bool(parsed.members)
    except DocumentNeedsPassword as error:
        ended, text, reason = "password", "", str(error)
    except DocumentUnreadable as error:
        ended, text, reason = "failed", "", str(error)
    except ApplianceError as error:
        ended, text, reason = "refused", "", str(error)
    except Exception as error:  # noqa: BLE001 - a measurement goes on, and counts it
        ended, text, reason = "error", "", repr(error)
    return Outcome(ended, text, reason, time.perf_counter() - start, pages, has_files)


class ByUnstructured:
    """What `unstructured.partition.auto.partition` makes of files: one process without network, which loads the library
    once and reads each file in a fork of itself under limits."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        command = ["unshare", "--map-root-user", "--net", sys.executable, __file__, "--partition"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __call__(self, path: Path) -> Outcome:
        """What came of one file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(path, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            self._start()
            return Outcome("failed", "", "its process died", 0.0)
        said = json.loads(line)
        return Outcome("read" if said["text"].strip() else "failed", said["text"], said["reason"], said["seconds"])


def partition_files() -> None:
    """Read the files named on standard input with unstructured; print what it says, one JSON text a line."""
    from unstructured.partition.auto import partition

    from ingest.parse import unstructured

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is no answer
    unstructured.load()  # puts a blank pipeline where the library would download a language model, and fail
    for name, text in _FIRST.items():
        list(partition(file=io.BytesIO(text), metadata_filename=name))  # much of it loads at first use
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        start = time.perf_counter()
        source, target = os.pipe()
        if os.fork() == 0:
            os.close(source)
            _partition_one(path, target, partition)
        os.close(target)
        with os.fdopen(source, encoding="utf-8") as answer:
            whole = answer.read()
        os.wait()
        said = json.loads(whole) if whole.endswith("}") else {"text": "", "reason": "died, or took too long"}
        print(json.dumps(said | {"seconds": time.perf_counter() - start}), file=answers, flush=True)


def _partition_one(path: Path, target: int, partition: Callable[..., Iterable[object]]) -> None:
    """In a process of its own, which ends here."""
    resource.setrlimit(resource.RLIMIT_AS, (_AGAINST_BYTES, _AGAINST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_AGAINST_TIMEOUT_S, _AGAINST_TIMEOUT_S))
    signal.alarm(_AGAINST_TIMEOUT_S)
    try:
        said = {"text": "\n".join(map(str, partition(filename=str(path)))), "reason": ""}
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its outcome
        said = {"text": "", "reason": type(error).__name__}
    with os.fdopen(target, "w", encoding="utf-8") as answer:
        answer.write(json.dumps(said))
    os._exit(0)


def print_score(name: str, samples: Iterable[Sample], outcomes: Iterable[Outcome]) -> None:
    """What came of the files, per format."""
    scores: dict[str, Score] = {}
    for sample, outcome in zip(samples, outcomes, strict=True):
        scores.setdefault(sample.ext, Score()).add(sample, outcome)
        scores.setdefault("all", Score()).add(sample, outcome)
    _print_table(name, scores)


def print_speed(what: str, samples: Sequence[Sample], ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> None:
    """How fast files were read, per format; `theirs` is empty if nobody else read them.

    Counted are those that both read, and that have no files in them, which only we read.
    """
    print(f"\nspeed, {what}{', and that of the other with the same files' if theirs else ''}\n")
    print(
        "| format | files | MB | pages | MB/s | pages/s |" + (" other MB/s | other pages/s | times |" if theirs else "")
    )
    print("|---|" + "--:|" * (8 if theirs else 5))
    for ext in sorted({sample.ext for sample in samples}):
        numbers = [number for number, sample in enumerate(samples) if sample.ext == ext]
        read = [number for number in numbers if ours[number].ended == "read"]
        both = [n for n in read if theirs and theirs[n].ended == "read" and not ours[n].has_files]
        counted = both or read
        if not counted:
            continue
        size = sum(samples[number].path.stat().st_size for number in counted) / 1e6
        pages = sum(ours[number].pages for number in counted)
        seconds = sum(ours[number].seconds for number in counted)
        cells = [ext, str(len(counted)), f"{size:.2f}", str(pages or ""), *_rates(size, pages, seconds)]
        if both:
            other = sum(theirs[number].seconds for number in both)
            cells += [*_rates(size, pages, other), f"{other / seconds:.1f}"]
        elif theirs:
            cells += ["reads none", "", ""]
        print("| " + " | ".join(cells) + " |")


def _rates(megabytes: float, pages: int, seconds: float) -> tuple[str, str]:
    return f"{megabytes / seconds:.2f}", f"{pages / seconds:.1f}" if pages else ""


def _print_table(name: str, scores: dict[str, Score]) -> None:
    whole = scores.pop("all", Score())
    print(
        f"\n{name}\n\n| format | files | {' | '.join(_OUTCOMES)} | must contain | of files read | must not | hard | seconds | slowest |"
    )
    print("|---|" + "--:|" * 11 + "---|")
    rows = sorted(scores.items(), key=lambda item: (-item[1].ended.total(), item[0]))
    for ext, score in [*rows, ("all", whole)]:
        ended = " | ".join(str(score.ended[kind]) for kind in _OUTCOMES)
        slowest = f"{score.slowest[1]} {score.slowest[0]:.1f} s"
        print(
            f"| {ext} | {score.ended.total()} | {ended} | {score.found}/{score.wanted} | {score.found}/{score.wanted_of_read} "
            f"| {score.unwanted} | {score.hard_found}/{score.hard} | {score.seconds:.1f} | {slowest} |"
        )


def made_files(folder: Path) -> list[Sample]:
    """Large files of the common formats: with small ones it is what every file costs that is measured."""
    rows = [
        (f"Unit {number}", number * 1.5, number % 7, f"Order {number * 31}", "approved") for number in range(20_000)
    ]
    texts = [f"Clause {number}. {_WORDS[:94] * (1 + number % 9)}" for number in range(6_000)]
    book, document, deck = openpyxl.Workbook(), docx.Document(), pptx.Presentation()
    for row in rows:
        book.active.append(row)
    for number, text in enumerate(texts[:2_000]):
        document.add_paragraph(text, style="Heading 2" if number % 20 == 0 else None)
    for text in texts[:200]:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = text[:12], text
    book.save(folder / "made.xlsx")
    document.save(str(folder / "made.docx"))
    deck.save(str(folder / "made.pptx"))
    canvas = Canvas(str(folder / "made.pdf"))
    for number in range(300):
        for line in range(40):
            canvas.drawString(60, 780 - 18 * line, f"{number}.{line} {_WORDS[:80]}")
        canvas.showPage()
    canvas.save()
    lines = "\n".join(",".join(map(str, row)) for row in rows)
    paragraphs = "".join(f"<p>{text}</p>\n" for text in texts)
    for name, text in {
        "made.txt": "\n\n".join(texts),
        "made.md": "\n\n".join(f"## {text}" if number % 20 == 0 else text for number, text in enumerate(texts)),
        "made.html": f"<html><body>{paragraphs}</body></html>",
        "made.csv": f"unit,amount,class,order,state\n{lines}\n",
        "made.eml": "From: a@bank.example\nTo: b@bank.example\nSubject: Terms\n\n" + "\n\n".join(texts[:1_000]),
    }.items():
        (folder / name).write_text(text, "utf-8")
    return [Sample(path, path.suffix[1:], "made", (), (), ()) for path in sorted(folder.glob("made.*"))]


def print_outcomes(samples: Iterable[Sample], outcomes: Iterable[Outcome]) -> None:
    """What came of every malformed and encrypted file."""
    print("\nmalformed and encrypted files\n")
    for sample, outcome in zip(samples, outcomes, strict=True):
        if sample.category in ("malformed", "encrypted"):
            said = f"{len(outcome.text)} characters" if outcome.ended == "read" else outcome.reason
            print(f"{sample.category:<9} {outcome.ended:<8} {outcome.seconds:5.1f} s  {sample.path.name}: {said}")


def print_missed(samples: Iterable[Sample], outcomes: Iterable[Outcome]) -> None:
    """Every string that was not found although it should be, or found although it should not."""
    print("\nmissed (-) and unwanted (+) strings\n")
    for sample, outcome in zip(samples, outcomes, strict=True):
        text = _plain(outcome.text)
        missed = [f"  - {string!r}" for string in sample.wanted if _plain(string) not in text]
        missed += [f"  + {string!r}" for string in sample.unwanted if _plain(string) in text]
        if missed:
            print(f"{sample.path.name} ({outcome.ended}) {outcome.reason}", *missed, sep="\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", default="", help="extensions, separated by commas")
    parser.add_argument("--outcomes", action="store_true")
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--against", choices=["unstructured"])
    parser.add_argument("--partition", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.partition:
        partition_files()
        return
    if not given.folder:
        parser.error("which folder?")
    samples = read_manifest(given.folder, frozenset(filter(None, given.only.split(","))))
    other = ByUnstructured() if given.against else None
    # urgent: a parser that leaves the cores to others would be compared with one that does not
    with ParserPool(IngestSettings(), size=1, urgent=True) as pool, tempfile.TemporaryDirectory() as made:
        _warm_up(pool)
        ours, theirs = read_all(samples, pool, other)
        large = made_files(Path(made))
        print_score("through the sandbox", samples, ours)
        if other:
            print_score(f"by {given.against} alone", samples, theirs)
        print_speed("small real files", samples, ours, theirs)
        print_speed("large made files", large, *read_all(large, pool, other))
    if given.outcomes:
        print_outcomes(samples, ours)
    if given.missed:
        print_missed(samples, ours)


def read_all(
    samples: Iterable[Sample], pool: ParserPool, other: Callable[[Path], Outcome] | None
) -> tuple[list[Outcome], list[Outcome]]:
    """What came of every file, through the sandbox and right after that by the other reader if there is one."""
    ours: list[Outcome] = []
    theirs: list[Outcome] = []
    for sample in samples:
        ours.append(through_the_sandbox(pool, sample.path))
        theirs += [other(sample.path)] if other else []
    return ours, theirs


def _warm_up(pool: ParserPool) -> None:
    """Let the worker load what it loads for the first file of its kind."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "a.html"
        page.write_bytes(_FIRST[page.name])
        for _ in range(2):
            pool.parse(page, name=page.name)


if __name__ == "__main__":
    main()
