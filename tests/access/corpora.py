"""Random corpora, readers and questions, and the part of a corpus that a reader may see."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from email.message import EmailMessage

from hypothesis import strategies

from appliance.domain import EVERYONE

GROUPS = ("board", "hr", "legal", "lab")
SOURCES = ("Handbook", "Contracts", "Reviewed")
HIGH = "confidential"
"""A level that nobody is cleared for without being given it."""

REVIEWED = 2
"""The source whose documents wait for a curator."""

_NAMES = (
    "travel-policy-2024.md", "travel-policy-2025.md", "Travel policy.md", "old/travel-policy.md", "Reisekosten.md",
    "ACME contract 17.md", "ACME contract 18.md", "Zinnober merger.md", "salaries/bands.md", "conges.md",
    "retention.txt", "pruefberichte.txt",
)  # fmt: skip
_CONTAINERS = ("bundle.zip", "old/archive.zip")
_MAILS = ("re-merger.eml", "fw-merger.eml", "old/merger.eml")
_TITLES = ("Travel policy 2024", "Travel policy 2025", "Reisekosten", "Project Zinnober", "Congés payés", "")
_SENTENCES = (
    "A hotel in Zurich may cost at most {} CHF per night.",
    "A hotel in Zurich may not cost more than {} CHF per night, breakfast included.",
    "Trains are booked second class, and flights of less than {} hours in economy class.",
    "Ein Hotel in Zürich darf höchstens {} CHF je Nacht kosten.",
    "Prüfberichte werden {} Jahre aufbewahrt und danach vernichtet.",
    "Les congés payés sont de {} jours par an.",
    "A senior engineer earns between 95,000 and {},000 CHF a year.",
    "The merger with Zinnober AG closes on 1 March 20{}.",
    "Invoices are kept for {} years; applications are deleted after six months.",
    "ACME pays {} EUR for each licence of the Basilisk module.",
    "The press may only be operated by {} trained people.",
    "The hydraulic filter is replaced every {} operating hours.",
    "A list of {} things without any order | or meaning | in three columns.",
)
_NUMBERS = (2, 10, 24, 25, 240, 260)
QUESTIONS = (
    "What may a hotel in Zurich cost?",
    "Was darf ein Hotel in Zürich kosten?",
    "hotel Zurich verbatim",
    "When does the merger with Zinnober AG close?",
    "Combien de jours de congés payés par an ?",
    "How long are invoices kept according to the Travel policy 2024?",
    "What does ACME pay for the Basilisk module under contract 18?",
    "How often is the hydraulic filter replaced? verbatim",
    "Wie lange werden Prüfberichte aufbewahrt?",
    "Who may operate the press?",
    "Which salary does a senior engineer earn?",
    "What is the tallest mountain of Mongolia?",
)
FOLLOW_UPS = ("And in 2025?", "Und für Gäste?", "What about the other contract?", "And how often is it verbatim?")


@dataclass(frozen=True)
class File:
    """A file of a source. `earlier` is what it said before, under the label `were`; empty if it is new.

    `late` is one that comes when the others change. `released` and `held` count where one reviews; `held` is a file of
    which what it said before was released, and what it says now is not.
    """

    source: int
    path: str
    groups: frozenset[str]
    content: bytes
    earlier: bytes
    were: frozenset[str]
    released: bool
    level: str
    held: bool = False
    late: bool = False

    def is_seen_by(self, groups: frozenset[str], clearance: str) -> bool:
        """Whether a reader in these groups, cleared for this level, finds it."""
        is_cleared = self.level != HIGH or clearance == HIGH
        label = self._both_labels() if self._is_held else self.groups
        return bool(label & (groups | {EVERYONE})) and is_cleared and (self.source != REVIEWED or self.released)

    def as_it_was(self) -> File:
        """What it was at first."""
        return replace(self, content=self.earlier, groups=self.were) if self.earlier else self

    def seen_by(self, groups: frozenset[str]) -> File:
        """What such a reader sees of it: what it said before only if that was for them too."""
        if self._is_held:
            return replace(self, content=self.earlier, groups=self._both_labels(), earlier=b"", held=False)
        if not self.earlier or self._both_labels() & (groups | {EVERYONE}):
            return self
        return replace(self, earlier=b"", late=True)  # which of several copies is searched depends on which was first

    @property
    def _is_held(self) -> bool:
        return self.source == REVIEWED and self.held and bool(self.earlier) and self.earlier != self.content

    def _both_labels(self) -> frozenset[str]:
        """Whom the label of now and that of before both admit."""
        both = self.groups & self.were
        both |= self.groups if EVERYONE in self.were else both
        return both | (self.were if EVERYONE in self.groups else both)


@dataclass(frozen=True)
class Case:
    """A corpus, a reader's groups, and what the reader asks: pairs of a question and its follow-up."""

    files: tuple[File, ...]
    groups: frozenset[str]
    clearance: str
    asked: tuple[tuple[str, str], ...]

    @property
    def part(self) -> tuple[File, ...]:
        """What of the corpus the reader may see."""
        seen = (file for file in self.files if file.is_seen_by(self.groups, self.clearance))
        return tuple(file.seen_by(self.groups) for file in seen)


_labels = strategies.one_of(
    strategies.just(frozenset({EVERYONE})),
    strategies.frozensets(strategies.sampled_from(GROUPS), min_size=0, max_size=3),
)
_sentences = strategies.builds(str.format, strategies.sampled_from(_SENTENCES), strategies.sampled_from(_NUMBERS))


@strategies.composite
def _texts(draw: strategies.DrawFn) -> str:
    title = draw(strategies.sampled_from(_TITLES))
    body = draw(strategies.lists(_sentences, min_size=1, max_size=6))
    return f"# {title}\n\n" + "\n\n".join(body) + "\n" if title else "\n".join(body) + "\n"


@strategies.composite
def _content(draw: strategies.DrawFn, path: str) -> bytes:
    text = draw(_texts())
    if path.endswith(".zip"):
        return _zip({"inside/note.md": text, "Travel policy 2024.md": draw(_texts())})
    if path.endswith(".eml"):
        return _mail(path, text)
    return text.encode()


@strategies.composite
def _files(draw: strategies.DrawFn) -> tuple[File, ...]:
    places = strategies.tuples(
        strategies.sampled_from(range(len(SOURCES))), strategies.sampled_from((*_NAMES, *_NAMES, *_CONTAINERS, *_MAILS))
    )
    found: list[File] = []
    for source, path in draw(strategies.lists(places, min_size=3, max_size=10, unique=True)):
        content = draw(_content(path))
        copied = [file for file in found if file.path.rsplit(".")[-1] == path.rsplit(".")[-1]]
        if copied and draw(strategies.integers(0, 2)) == 0:  # the same text elsewhere, under another label or the same
            content = draw(strategies.sampled_from(copied)).content
        earlier = draw(_content(path)) if draw(strategies.integers(0, 3)) == 0 else b""
        level = draw(strategies.sampled_from(("", "", "public", HIGH)))
        label = draw(_labels)
        were = draw(strategies.one_of(strategies.just(label), _labels))
        is_held = draw(strategies.booleans()) and not path.endswith(".zip")  # of what is in one, some may be as it was
        found.append(File(source, path, label, content, earlier, were, draw(strategies.booleans()), level, is_held))
    return tuple(found)


@strategies.composite
def cases(draw: strategies.DrawFn, questions: int) -> Case:
    """A corpus and a reader who asks so many questions."""
    pairs = strategies.tuples(strategies.sampled_from(QUESTIONS), strategies.sampled_from(FOLLOW_UPS))
    asked = draw(strategies.lists(pairs, min_size=questions, max_size=questions))
    groups = draw(strategies.frozensets(strategies.sampled_from(GROUPS), max_size=2))
    return Case(draw(_files()), groups, draw(strategies.sampled_from(("", "", HIGH))), tuple(asked))


def _zip(files: dict[str, str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return whole.getvalue()


def _mail(path: str, text: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", f"Merger, {path}"
    mail["Date"], mail["Message-ID"] = "Mon, 01 Jun 2026 09:00:00 +0000", f"<{path}@example.org>"
    mail["References"] = "<first@example.org>"
    mail.set_content(text)
    return bytes(mail)
