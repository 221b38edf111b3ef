"""Which of the hits for a question are the evidence its golden set names. Pure.

Rules this module keeps:

1. Hits are ranked as units of what the evidence names: passages where it names a quote or a passage, else pages where
   it names a page, else documents. A unit counts once, at its best hit, however many of its passages were found.
2. Each piece of evidence is found once, by the first unit that holds it.
3. Names and quotes are compared without regard to case, spaces and punctuation: parsers and people differ in those.
4. A document with the same content as the one that is named is that one (`names`): the same is shown once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import PurePosixPath

from appliance.domain import Hit, shown_path
from appliance.evaluation.golden import SHORTEST_QUOTE, Evidence, compared_words

Contents = Mapping[str, frozenset[str]]
"""The SHA-256 of the documents that go by a name, by the name as a golden set spells it."""

DEPTH = 10
"""How many units of a ranking are looked at."""

_BY_NAME_ALONE: Contents = {}
_RUN = 3
_INSIDE = shown_path("", "file").removesuffix("file")  # stands between a container and a file in it


@dataclass(frozen=True, slots=True)
class Unit:
    """A passage, page or document at its rank. `gain` is how many pieces of evidence it is the first to hold."""

    hit: Hit
    gain: int
    right_document: bool


def judged(hits: Sequence[Hit], evidence: Sequence[Evidence], contents: Contents = _BY_NAME_ALONE) -> list[Unit]:
    """The first units of a ranking, best first, each with what it found."""
    missing = list(evidence)
    units: list[Unit] = []
    for hit in _units(hits, _unit_of(evidence)):
        found = [piece for piece in missing if holds(hit, piece, contents)]
        missing = [piece for piece in missing if piece not in found]
        units.append(Unit(hit, len(found), any(_is_document(hit, piece, contents) for piece in evidence)))
    return units


def holds(hit: Hit, piece: Evidence, contents: Contents = _BY_NAME_ALONE) -> bool:
    """Whether a hit is a piece of evidence."""
    if not _is_document(hit, piece, contents):
        return False
    if piece.page is not None:
        return piece.page in hit.chunk.place.pages
    if piece.quote:
        return _quotes(hit.chunk.text, piece.quote)
    return not piece.passage or _is_passage(hit, piece.passage, contents)


def _unit_of(evidence: Sequence[Evidence]) -> Callable[[Hit], Hashable]:
    if any(piece.page is None and (piece.quote or piece.passage) for piece in evidence):
        return lambda hit: hit.chunk.id
    if any(piece.page is not None for piece in evidence):
        return lambda hit: (hit.chunk.document_id, hit.chunk.place.page)
    return lambda hit: hit.chunk.document_id


def _units(hits: Iterable[Hit], unit_of: Callable[[Hit], Hashable]) -> list[Hit]:
    """The best hit of each of the first units."""
    best: dict[Hashable, Hit] = {}
    for hit in hits:
        best.setdefault(unit_of(hit), hit)
        if len(best) == DEPTH:
            break
    return list(best.values())


def _is_document(hit: Hit, piece: Evidence, contents: Contents) -> bool:
    """Whether a hit is of the document of a piece of evidence; a set may keep each passage in a file of its own."""
    if piece.doc and _is_called(hit, piece.doc, contents):
        return True
    return bool(piece.passage) and _is_passage(hit, piece.passage, contents)


def _is_passage(hit: Hit, passage: str, contents: Contents) -> bool:
    return hit.chunk.id == passage or _is_called(hit, passage, contents)


def _is_called(hit: Hit, name: str, contents: Contents) -> bool:
    """Whether a document goes by this name: by its id, a name of its own, or one of its content."""
    if hit.chunk.document_id == name or hit.version_sha256 in contents.get(name, ()):
        return True
    return as_compared(name) in names_of(hit.source, hit.path, hit.title)


@lru_cache(maxsize=4096)
def names_of(source: str, path: str, title: str) -> frozenset[str]:
    """What a document goes by, as it is compared: path or end of a path, file name without its ending, or title.

    The name of its source may stand before the path.
    """
    whole = as_compared(f"{source}/{path}") if path else ""
    bare = str(PurePosixPath(whole).with_suffix("")) if whole else ""
    parts = (called.split("/") for called in (whole, bare, as_compared(title)))
    return frozenset("/".join(each[start:]) for each in parts for start in range(len(each))) - {""}


@lru_cache(maxsize=4096)
def as_compared(name: str) -> str:
    """A name as it is compared: a file in a container is called as if the container were a folder."""
    plain = unicodedata.normalize("NFC", name).casefold().replace(_INSIDE, "/").replace("\\", "/")
    return plain.strip().removeprefix("./").strip("/")


def _quotes(text: str, quote: str) -> bool:
    """Whether a passage holds a quote: all or most of it, as where it was cut in two, or nothing but a part of it.

    Words count in runs: a parser may leave out an address or a mark between them, and single words stand anywhere. A
    few words prove nothing, unless they are the whole quote.
    """
    said, wanted = compared_words(text), compared_words(quote)
    if not wanted:
        return False
    matcher = SequenceMatcher(None, said, wanted, autojunk=False)
    found = sum(block.size for block in matcher.get_matching_blocks() if block.size >= min(_RUN, len(wanted)))
    if found < min(SHORTEST_QUOTE, len(wanted)):
        return False
    return 2 * found > len(wanted) or found == len(said)
