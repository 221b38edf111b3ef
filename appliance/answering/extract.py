"""An answer without a language model: the part of each of the best passages that is nearest to the question, quoted.

Nothing is rephrased, so nothing can be made up; each quotation carries its [n]. A document's own bracketed numbers
("as shown in [4]") are put in round brackets, or they would pass for citations of ours.

A quotation is a run of whole lines and sentences around the best one (a sentence may go on across the line breaks of
wrapped prose), so that a table row keeps its neighbours and a sentence what leads up to it; a row that is quoted
without the beginning of its table follows the table's first row, which names the columns. The best one is near the
question in meaning and holds its words, a row together with the names of its columns: a name or a number that the
question has decides between rows that otherwise say the same. A heading, a caption, a label ("401k:") and the head of a
table say nothing by themselves: they bring their passage forward, and what is marked is below them. Where a number or a
time is asked for ("how many", "since when"), a part with a number of its own comes first, which makes it no nearer.
What is not near to the question, or clearly less near than the best that is quoted, is shown all the same, but not
marked, nor is a row without a word of the question but those of the head, which are every row's, nor a passage that
holds less of what the question names than one of another document. A name alone says of whom a row speaks, or a part
for a follow-up, and not what: a word of the question that is no name must stand there too, unless it is near by itself,
which is not enough for a row and a follow-up. A row that has all names of a question comes before a sentence of its
passage that has not. What is not near is not quoted at all beside what holds a name of the question if it holds none.

What is quoted of a superseded document stands beside what its newest edition says, and is not marked.

What a follow-up says of its own weighs more than the question before it: passages that hold its names come first, and
in them the parts that do, or stand under a heading or the head of a table that does. A part without a word of it is not
marked, however near it is to both: it answers the question before. Where what is best is a row for what that one names,
a passage without all that is new in the follow-up is not marked at all; nor is one of another document than those that
hold what the question before names, where the follow-up names nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from appliance.answering import named
from appliance.answering.citations import in_round_brackets
from appliance.answering.followup import own_stems
from appliance.answering.numbers import MEASURES
from appliance.answering.others import CELL_BORDER, are_places, beside, cells_of, head_rows, of_kind
from appliance.answering.sentence_ends import sentence_ends
from appliance.answering.sentences import words
from appliance.answering.things import things_in
from appliance.answering.wrapping import unwrapped
from appliance.dates import MONTHS
from appliance.domain import Citation, Hit
from appliance.inference.language import question_language
from appliance.inference.port import Embedder
from appliance.language.words import ANY, one_of
from appliance.retrieval.editions import names_year_of, same_name

_HALT = re.compile(r"[:;](?=\s+[^\sa-zà-ÿ])")
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "…")
_MAY_STAND_BEHIND = " \xa0\u202f'\"’”“»«›‹)]}*_"
_LABEL = re.compile(r"\s*\S+(?:\s+\S+)?:")
_NUMBERED_CAPTION = re.compile(
    rf"\W*(?:{one_of(ANY.captions)}|tab(?=\s?[\d.]+\s?[:–—]))"
    r"\s?\d+(?:\.\d+)*\s?(?P<sign>[:.–—])\s(?P<said>.{0,200})\Z",
    re.IGNORECASE,
)
_VERB = re.compile(rf"\b{one_of(ANY.auxiliary_verbs)}\b")
_NUMBER = re.compile(r"\d+")
_ITEM = re.compile(rf"\A\W*\d{{1,3}}(?:\)|\.(?!\s+{one_of(MONTHS)}\b))\s", re.IGNORECASE)  # no "31. Dezember"
_MEASURE = re.compile(rf"\b{MEASURES}\b", re.IGNORECASE)
_ASKS_FOR_NUMBER = re.compile(rf"\b{one_of(ANY.asks_for_a_number)}\b", re.IGNORECASE)
_LEFT_OUT = "…"
_MAX_PASSAGES = 3
_MAX_CHARACTERS = 500
_WORDS_WEIGHT = 0.5  # of holding all of the question's words, against a cosine of 1
_NUMBER_WEIGHT = 0.2  # of holding a number of its own where one is asked for; measured by `bench/extraction.py`
_OWN_WEIGHT = 1.0  # of all names of a follow-up, and of all its words: more than most parts differ by otherwise
_WORTH_KEEPING = 0.75  # of the best passage's score
_WORTH_MARKING = 0.8  # of the best marked part's score: what is farther off is quoted, and draws no eye to it
_NEAR = 0.7  # what the best of what is quoted is worth at least to be marked; measured: decision 22
_FEWEST_PASSAGES = 3  # of which most may hold a name
_PERIOD = re.compile(r"(?<![\d.,'/-])(?:\d{1,2}[./-]){0,2}(?:19|20)\d\d(?:[/-]\d{2,4})?(?![\d.,'/-])")


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence or a line of a passage. `opens_line` tells how it is joined to the one before.

    `at` is where in the passage it begins. `leads` says that it is a heading, a caption or the head of a table;
    `headings` and `head` are those it stands under.
    """

    text: str
    at: int
    opens_line: bool
    is_row: bool = False
    leads: bool = False
    headings: str = ""
    head: str = ""

    @property
    def told(self) -> str:
        """What it says: of a row of a table, with the names of the columns."""
        return f"{self.head}\n{self.text}" if self.head else self.text


@dataclass(frozen=True, slots=True)
class Quotation:
    """What is quoted of a passage: the part that is nearest to the question, and what stands around it.

    `at` is where in the passage's text stands what is to be looked at: the nearest part if it is near, else the first.
    `is_superseded` says that the newest edition of its document is quoted, too.
    """

    passage: Citation
    before: str
    nearest: str
    after: str
    is_near: bool
    at: int
    is_superseded: bool = False

    @property
    def is_marked(self) -> bool:
        """Whether the nearest part is highlighted."""
        return self.is_near and not self.is_superseded


@dataclass(frozen=True, slots=True)
class Quotations:
    """What is shown, and where in it (start, end) the part of each quotation stands that is nearest to the question.

    `quoted_at` tells where each quotation stands in its passage: the passage's number, and the character (`Quotation`).
    """

    text: str
    highlights: tuple[tuple[int, int], ...]
    quoted_at: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What parts are held against: the words of the question, and the names in it or in the follow-up.

    `asked` are its numbers and the stems of its words, without those of asking and of measures: many things last
    "days". `own` are those that a follow-up says itself, `new` of these what the question before does not say, and
    `before` is what that one names. `telling` are the names that tell that a part speaks of what was asked: of a
    follow-up all of them, of a question by itself no years. A `common` one, which most passages hold as they do the
    name of the house, does not tell it alone, but together with one of the `other` words. Where they `are_missing`
    from the passages, nothing is near. `of_year` are those that were found of a year that the question names.
    """

    question: str
    asked: frozenset[str]
    follow_up: str
    names: tuple[str, ...]
    own: frozenset[str]
    new: frozenset[str]
    before: tuple[str, ...]
    telling: tuple[str, ...]
    common: frozenset[str]
    other: frozenset[str]
    are_missing: bool
    of_year: tuple[Hit, ...]

    @classmethod
    def by(cls, question: str, follow_up: str, passages: Sequence[Citation]) -> _Wanted:
        hits = [passage.hit for passage in passages]
        names = tuple(named.wanted(question, follow_up, hits, in_doubt=True))
        telling = names if follow_up else tuple(name for name in names if not name.isdecimal())
        common = frozenset() if follow_up else _common(telling, passages)
        before = tuple(named.of_question_before(question, follow_up, hits)) if follow_up else ()
        other = words(question) - words(" ".join((*names, *before)))
        are_missing = named.are_missing(question, follow_up, hits, in_doubt=True)
        asked = own_stems(_MEASURE.sub(" ", question)) | frozenset(_NUMBER.findall(question))
        own = own_stems(follow_up)
        new = own - own_stems(question.removesuffix(follow_up))
        of_year = tuple(hit for hit in hits if names_year_of(question, hit))
        return cls(question, asked, follow_up, names, own, new, before, telling, common, other, are_missing, of_year)

    @property
    def has_letters(self) -> bool:
        """Whether there is more to the question than figures: "7" stands in many places, and none is meant."""
        return any(map(str.isalpha, self.question))

    def is_spoken_of(self, text: str) -> bool:
        """Whether a text has a name, or a word of the follow-up's own."""
        found, carried = named.held(self.telling, text), words(text)
        if found - self.common or not self.own.isdisjoint(carried):
            return True
        return bool(found) and not self.other.isdisjoint(carried)

    def stands_in(self, passage: Citation) -> bool:
        """Whether a passage has all that is new in a follow-up, or a name of it."""
        text = named.text_of(passage.hit)
        return self.new <= words(text) or bool(named.held(self.names, text))

    def is_about(self, text: str) -> bool:
        """Whether a text has a word of the question that is no name: a name says of whom, but not what."""
        return not self.other or not self.other.isdisjoint(words(text))

    def names_held(self, passage: Citation) -> frozenset[str]:
        """What the question names, things that are numbered ("version 2.4") too, that a passage holds."""
        text = named.text_of(passage.hit)
        numbered, _ = things_in(self.question)
        return named.held(self.names, text) | (numbered and numbered & things_in(text)[0])

    def newest_for(self, passage: Citation) -> str:
        """The document (id) whose passage is to stand beside a superseded one; none beside others.

        None either where another edition is asked for by its year.
        """
        newest = passage.hit.superseded_by
        of_year = (hit for hit in self.of_year if hit.chunk.document_id != newest and same_name(hit, passage.hit))
        return "" if any(of_year) else newest

    def best(self, passages: Sequence[Citation]) -> Sequence[Citation]:
        """The passages that may be quoted: the best of those that hold most of a follow-up's names.

        Behind each of a superseded document stands the best one of its newest edition.
        """
        ranked = list(passages)
        if self.follow_up and self.names:
            ranked.sort(key=lambda passage: -len(named.held(self.names, named.text_of(passage.hit))))
        first_of = _first_of_each_document(passages)
        both = ((one, first_of.get(self.newest_for(one), one)) for one in ranked[:_MAX_PASSAGES])
        return list(dict.fromkeys(passage for pair in both for passage in pair))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A passage in its parts, and how near each is to the question, in meaning and by the words that it holds."""

    passage: Citation
    parts: Sequence[_Part]
    nearness: Sequence[float]

    def scores(self, wanted: _Wanted) -> Sequence[float]:
        """What each part is worth: how near it is, a number that is asked for, and what it holds of a follow-up."""
        worth = [
            near + _of_number(wanted.question, part.told, self.passage.hit.chunk.language)
            for part, near in zip(self.parts, self.nearness, strict=True)
        ]
        if not wanted.follow_up:
            return self._with_row_of_names(wanted, worth)
        hit, spoken = self.passage.hit, _words(wanted.follow_up)
        of_passage = f"{hit.title}\n{hit.path}\n{hit.chunk.context}"
        under = [f"{part.headings}\n{part.told}" for part in self.parts]
        return [
            near
            + _OWN_WEIGHT * _share(named.held(wanted.names, of_passage, text), wanted.names)
            + _OWN_WEIGHT * _share(spoken & _words(text), spoken)
            for text, near in zip(under, worth, strict=True)
        ]

    def _with_row_of_names(self, wanted: _Wanted, worth: list[float]) -> list[float]:
        """The same; a row that has all that is named, if the best part is a sentence that has not, is worth as much."""
        names = [name for name in wanted.telling if name not in wanted.common and not any(map(str.isdigit, name))]
        best = self.best(worth)
        if not names or self.parts[best].is_row or len(named.held(names, self.parts[best].text)) == len(names):
            return worth
        rows = [
            number
            for number, part in enumerate(self.parts)
            if part.is_row
            and not part.leads
            and len(named.held(names, part.text)) == len(names)
            and wanted.is_about(self._under_headings(part, self.passage.hit.chunk.text))
        ]
        if rows:
            row = max(rows, key=worth.__getitem__)
            worth[row] = max(worth[row], worth[best])
        return worth

    def best(self, scores: Sequence[float]) -> int:
        """The best part by its `scores`, of two that are worth the same the row.

        It is a heading or the head of a table only if there is nothing else.
        """
        parts = self.parts
        return max(
            range(len(parts)), key=lambda number: (not parts[number].leads, scores[number], parts[number].is_row)
        )

    def _under_headings(self, part: _Part, said: str) -> str:
        """What is `said`, and the headings above a part without the title, which is every part's."""
        above = (heading for heading in part.headings.split("\n") if heading != self.passage.hit.title)
        return "\n".join((*above, said))

    def is_row_before(self, wanted: _Wanted, best: int) -> bool:
        """Whether a part is a row for what the question before names, in a passage without all that is new since."""
        part = self.parts[best]
        return part.is_row and bool(named.held(wanted.before, part.text)) and not wanted.stands_in(self.passage)

    def quotation(self, wanted: _Wanted, best: int, *, is_worth_marking: bool) -> Quotation:
        """The best part, with what stands around it."""
        first, around = _around(self.parts, best)
        is_near = is_worth_marking and self._is_near(wanted, best)
        if is_near and self.parts[best].is_row:
            around = _within_columns(wanted, self.parts[best], around)
        return Quotation(self.passage, *around, is_near, self.parts[best].at if is_near else first.at)

    def _is_near(self, wanted: _Wanted, best: int) -> bool:
        part = self.parts[best]
        if part.leads or wanted.are_missing or not wanted.has_letters:
            return False
        hit = self.passage.hit
        around = self._under_headings(part, hit.chunk.text if part.is_row else part.told)
        if wanted.own:
            is_spoken_of = wanted.is_spoken_of(f"{hit.title}\n{part.headings}\n{part.told}")
            is_near = not part.is_row and self.nearness[best] >= _NEAR
            return is_spoken_of and (is_near or wanted.is_about(around))
        if wanted.is_spoken_of(part.told) and (not part.is_row or wanted.is_about(around)):
            return True
        is_told_apart = not part.is_row or not wanted.asked.isdisjoint(_words(part.text))
        return is_told_apart and self.nearness[best] >= _NEAR


def extract(question: str, passages: Sequence[Citation], embedder: Embedder, *, follow_up: str = "") -> Quotations:
    """What is shown of the best passages. Raises ModelUnavailable."""
    return laid_out(quotations(question, passages, embedder, follow_up=follow_up))


def quotations(
    question: str, passages: Sequence[Citation], embedder: Embedder, *, follow_up: str = ""
) -> list[Quotation]:
    """Quotations from the best passages, the best passage first. Raises ModelUnavailable.

    Args:
        question: What was searched for.
        follow_up: The reader's words, where they were completed by the question they follow up.
    """
    wanted = _Wanted.by(question, follow_up, passages)
    cut = [(passage, parts) for passage in wanted.best(passages) if (parts := _parts(passage.hit))]
    nearness = iter(_nearness(wanted, [part.told for _, parts in cut for part in parts], embedder))
    judged = [_Judged(passage, parts, [next(nearness) for _ in parts]) for passage, parts in cut]
    scored = [(one, one.scores(wanted)) for one in judged]
    at_least = _share_of(max((max(scores) for _, scores in scored), default=0.0), _WORTH_KEEPING)
    near = _with_editions(wanted, [one.passage for one, _ in scored], [max(scores) >= at_least for _, scores in scored])
    kept = [(one, scores, one.best(scores)) for one, scores in scored if one.passage in near]
    documents = {passage.document_id for passage in near}
    in_force = [scores[best] for one, scores, best in kept if wanted.newest_for(one.passage) not in documents]
    worth = _share_of(max(in_force, default=0.0), _WORTH_MARKING)
    of_others = _of_others(wanted, near)
    of_others += _elsewhere(wanted, passages, near)
    if any(one.is_row_before(wanted, best) for one, scores, best in kept if scores[best] >= worth):
        of_others += [one.passage for one, _, _ in kept if not wanted.stands_in(one.passage)]
    quoted = [
        one.quotation(wanted, best, is_worth_marking=scores[best] >= worth and one.passage not in of_others)
        for one, scores, best in kept
    ]
    return [
        replace(one, is_superseded=wanted.newest_for(one.passage) in documents) for one in _with_names(wanted, quoted)
    ]


def _with_editions(wanted: _Wanted, passages: Sequence[Citation], chosen: Sequence[bool]) -> list[Citation]:
    """The passages that are chosen, and of the newest edition of a superseded document the first where none is."""
    taken = [passage for passage, is_chosen in zip(passages, chosen, strict=True) if is_chosen]
    missing = set(map(wanted.newest_for, taken)).difference(passage.document_id for passage in taken)
    first_of = _first_of_each_document(passages)
    taken += (first_of[document] for document in missing if document in first_of)
    return [passage for passage in passages if passage in taken]


def _first_of_each_document(passages: Sequence[Citation]) -> Mapping[str, Citation]:
    return {passage.document_id: passage for passage in reversed(passages)}


def is_quotable(searched_for: str, follow_up: str, passages: Sequence[Citation]) -> bool:
    """Whether anything is quoted of passages: of those that lack what is named, a row for others alone."""
    are_missing = named.are_missing(searched_for, follow_up, [passage.hit for passage in passages])
    return not are_missing or bool(for_others(searched_for, follow_up, passages))


def for_others(searched_for: str, follow_up: str, passages: Sequence[Citation]) -> list[Quotation]:
    """The row of a table that is for what the table does not name, where what is named stands nowhere; or nothing.

    "And in Paris?" after "What is the limit in Geneva?" finds no Paris, but "Other cities" below Geneva; "What is the
    hotel limit in Paris?" finds it below "City", in a table about hotels; "for Directors" would not. It is not marked:
    whether it holds for Paris is not said.
    """
    sought, before = _sought(searched_for, follow_up, passages)
    if not sought or not all(is_word and not name.isdecimal() for name, is_word in sought.items()):
        return []
    texts = [named.text_of(passage.hit) for passage in passages]
    held = named.held(sought, *texts)
    if held == frozenset(sought) if follow_up else held or not are_places(searched_for, sought):
        return []
    other = words(searched_for) - words(" ".join((*sought, *before)))
    for number, passage in enumerate(passages[:_MAX_PASSAGES]):
        parts = _parts(passage.hit)
        cells = list(map(_cells, parts))
        row = beside(cells, lambda cell: bool(named.held(before, cell)))
        if row is None and number == 0 and not named.held(before, *texts) and not other.isdisjoint(words(texts[0])):
            row = of_kind(cells)
        if row is not None:
            first, around = _around(parts, row)
            return [Quotation(passage, *around, is_near=False, at=first.at)]
    return []


def _sought(
    searched_for: str, follow_up: str, passages: Sequence[Citation]
) -> tuple[Mapping[str, bool], Collection[str]]:
    """What a question names, in German what comes after "in" too, and what the one before it does."""
    hits = [passage.hit for passage in passages]
    if follow_up:
        return named.wanted(searched_for, follow_up, hits), named.of_question_before(searched_for, follow_up, hits)
    return named.names(searched_for, question_language(searched_for), german_places=True), ()


def _cells(part: _Part) -> list[str]:
    """The cells of a row, one by one; none of what is no row."""
    return cells_of(part.text) if part.is_row else []


def _share_of(best: float, share: float) -> float:
    """What is this share of the best worth: below the best, also when all are negative."""
    return best - (1 - share) * abs(best)


def _of_others(wanted: _Wanted, passages: Sequence[Citation]) -> list[Citation]:
    """The passages that hold less of what a question by itself names than one of another document does."""
    if wanted.follow_up:
        return []
    held = [(passage, wanted.names_held(passage)) for passage in passages]
    return [
        one
        for one, ours in held
        if any(ours < theirs for other, theirs in held if other.document_id != one.document_id)
    ]


def _elsewhere(wanted: _Wanted, passages: Sequence[Citation], near: Sequence[Citation]) -> list[Citation]:
    """To a follow-up that names nothing: the passages of other documents than those with what the one before names.

    "And who approves it?" after a question about hotels in Geneva is not answered by who approves plans of action.
    """
    if not wanted.follow_up or wanted.names:
        return []
    spoken_of = {one.document_id for one in passages if named.held(wanted.before, named.text_of(one.hit))}
    return [one for one in near if spoken_of and one.document_id not in spoken_of]


def _with_names(wanted: _Wanted, quoted: list[Quotation]) -> list[Quotation]:
    """The quotations, without those neither near nor of a passage that holds a name, if that of another one does."""
    hold = [bool(named.held(wanted.telling, named.text_of(one.passage.hit))) for one in quoted]
    if not any(hold):
        return quoted
    chosen = [holds or one.is_near for one, holds in zip(quoted, hold, strict=True)]
    passages = _with_editions(wanted, [one.passage for one in quoted], chosen)
    return [one for one in quoted if one.passage in passages]


def laid_out(quotations: Sequence[Quotation]) -> Quotations:
    """Quotations one below another, each with its number. What is near to the question and not superseded is marked."""
    text, highlights = "", []
    for quotation in quotations:
        before, nearest, after = map(in_round_brackets, (quotation.before, quotation.nearest, quotation.after))
        text += f"\n\n{before}" if text else before
        if quotation.is_marked:
            highlights.append((len(text), len(text) + len(nearest)))
        text += f"{nearest}{after} [{quotation.passage.number}]"
    quoted_at = tuple((quotation.passage.number, quotation.at) for quotation in quotations)
    return Quotations(text, tuple(highlights), quoted_at)


def _parts(hit: Hit) -> list[_Part]:
    place = hit.chunk.place
    headings = frozenset((hit.title, *place.headings)).union(*(path for _, path in place.later))
    parts: list[_Part] = []
    start = 0
    for line in unwrapped(hit.chunk.text, headings).split("\n"):
        above = "\n".join(place.headings_at(start))
        indent = len(line) - len(line.lstrip())
        parts += (replace(part, headings=above) for part in _parts_of_line(line.strip(), start + indent, headings))
        start += len(line) + 1
    heads = _head_rows(parts)
    leads = [
        (number == head and _names_columns(parts, number)) or _is_caption(parts, number) or _is_label(parts[number])
        for number, head in enumerate(heads)
    ]
    return [
        replace(part, leads=part.leads or above, head=parts[head].text if part.is_row else "")
        for part, above, head in zip(parts, leads, heads, strict=True)
    ]


def _parts_of_line(line: str, at: int, headings: Collection[str]) -> list[_Part]:
    """The parts of a line, which begins at that place of the passage."""
    if _is_heading(line, headings) or _is_numbered_caption(line):
        return [_Part(line, at, opens_line=True, leads=True)]
    if CELL_BORDER in line:
        return [_Part(line, at, opens_line=True, is_row=True)]
    return [
        _Part(said.strip(), at + end - len(said.lstrip()), opens_line=start == 0)
        for start, end in _sentences(line)
        if (said := line[start:end]).strip()
    ]


def _is_heading(line: str, headings: Collection[str]) -> bool:
    """Whether a line is a heading or the title, which may stand behind a label ("Subject: ...")."""
    said = line.lstrip("# ")
    return bool(said) and (said in headings or said.partition(":")[2].strip() in headings)


def _is_numbered_caption(line: str) -> bool:
    """Whether a line says what a figure or a table shows: "Fig. 2: ...", or "Fig. 2. ..." if no sentence follows."""
    found = _NUMBERED_CAPTION.match(line)
    if found is None or found["sign"] != ".":
        return found is not None
    return not _VERB.search(found["said"]) and not any(sentence_ends(line, found.start("said"), len(line)))


def _names_columns(parts: Sequence[_Part], number: int) -> bool:
    """Whether the first row of a table is its head: it stands above others, and its numbers are periods at most."""
    if not all(part.is_row for part in parts[number : number + 2]) or number + 1 == len(parts):
        return False
    cells = list(filter(None, _cells(parts[number])))
    return len(cells) > 1 and not any(_NUMBER.search(_PERIOD.sub("", cell)) for cell in cells)


def _is_caption(parts: Sequence[_Part], number: int) -> bool:
    """Whether a part is a line that says what follows: above a table, or between a heading and the next one."""
    part, above, below = parts[number], parts[max(0, number - 1) : number], parts[number + 1 : number + 2]
    if part.is_row or not part.opens_line or not below or not below[0].opens_line or _ends(part.text):
        return False
    return below[0].is_row or (below[0].leads and all(one.leads for one in above))


def _is_label(part: _Part) -> bool:
    """Whether a part is a line of its own like "Geneva:", which says nothing and makes no caption of its neighbours."""
    return part.opens_line and _LABEL.fullmatch(part.text) is not None


def _ends(text: str) -> bool:
    """Whether a text ends as a sentence does, or with a colon or a semicolon."""
    return text.rstrip(_MAY_STAND_BEHIND).endswith(_SENTENCE_ENDS)


def _sentences(line: str) -> Iterator[tuple[int, int]]:
    """From where to where the sentences of a line go.

    What stands before a colon or a semicolon is one by itself, but not a label: it says nothing without what follows.
    """
    ends = {*sentence_ends(line, 0, len(line)), *(halt.end() for halt in _HALT.finditer(line))}
    labels = {end for start, end in pairwise((0, *sorted(ends))) if _LABEL.fullmatch(line, start, end)}
    return pairwise((0, *sorted(ends - labels), len(line)))


def _nearness(wanted: _Wanted, texts: Sequence[str], embedder: Embedder) -> list[float]:
    if not texts:
        return []
    likeness = embedder.embed_passages(texts) @ embedder.embed_query(wanted.question)
    return [
        float(cosine) + _WORDS_WEIGHT * _share(wanted.asked & _words(text), wanted.asked)
        for cosine, text in zip(likeness, texts, strict=True)
    ]


def _common(names: Collection[str], passages: Sequence[Citation]) -> frozenset[str]:
    """The names that most of the passages hold, if these are more than a few."""
    if len(passages) < _FEWEST_PASSAGES:
        return frozenset()
    held = Counter(name for passage in passages for name in named.held(names, named.text_of(passage.hit)))
    return frozenset(name for name, count in held.items() if count * 2 > len(passages))


def _share(held: Collection[str], wanted: Collection[str]) -> float:
    return len(held) / max(1, len(wanted))


def _around(parts: Sequence[_Part], best: int) -> tuple[_Part, tuple[str, str, str]]:
    """A part and, while there is room, its neighbours: what follows first, then what comes before.

    Told are the first of them, and the texts before the part, of it and after it.
    """
    head, room = _head_rows(parts)[best], _MAX_CHARACTERS - len(parts[best].text)
    if head < best and len(parts[head].text) >= room:
        head = best
    room -= len(parts[head].text) if head < best else 0
    first, last = _grown(parts, best, room)
    before = "".join(part.text + _joint(following) for part, following in pairwise(parts[first : best + 1]))
    nearest = parts[best].text
    cut = len(nearest) > _MAX_CHARACTERS  # a single part that is too long
    if cut:
        nearest = nearest[:_MAX_CHARACTERS].rsplit(" ", 1)[0]
    after = "".join(_joint(part) + part.text for part in parts[best + 1 : last + 1])
    around = (_opening(parts, first, head) + before, nearest, after + _closing(parts, last, cut=cut))
    return parts[min(first, head)], around


def _within_columns(wanted: _Wanted, row: _Part, around: tuple[str, str, str]) -> tuple[str, str, str]:
    """The same, with no more to mark than what is asked for of a row whose table has its columns several times over.

    "City | Rate | City | Rate" above "Geneva | 230 | Vienna | 155" are two tables side by side.
    """
    before, nearest, after = around
    head, cells = cells_of(row.head), nearest.split(CELL_BORDER)
    width = next((count for count in range(2, len(head) // 2 + 1) if _repeats(head, count)), 0)
    if not width or len(cells) != len(head):
        return around
    groups = [CELL_BORDER.join(cells[at : at + width]) for at in range(0, len(cells), width)]
    held = [len(named.held(wanted.names, group)) + len(wanted.asked & _words(group)) for group in groups]
    if held.count(max(held)) > 1:
        return around
    group = held.index(max(held))
    start = sum(len(one) + len(CELL_BORDER) for one in groups[:group])
    end = start + len(groups[group])
    return before + nearest[:start], nearest[start:end], nearest[end:] + after


def _repeats(head: Sequence[str], count: int) -> bool:
    """Whether the first cells of a head, so many and each with a name of its own, come again until its end."""
    names = set(filter(None, head))
    return len(names) == count and len(head) % count == 0 and list(head) == list(head[:count]) * (len(head) // count)


def _grown(parts: Sequence[_Part], best: int, room: int) -> tuple[int, int]:
    """From where to where a quotation reaches around its best part."""
    first = last = best
    grown = True
    while grown:
        grown = False
        if last + 1 < len(parts) and len(parts[last + 1].text) < room:
            last, grown = last + 1, True
            room -= len(parts[last].text) + 1
        if first and len(parts[first - 1].text) < room:
            first, grown = first - 1, True
            room -= len(parts[first].text) + 1
    return first, last


def _head_rows(parts: Sequence[_Part]) -> list[int]:
    """Of each row the first one of its table; of what is none, itself."""
    return head_rows([part.is_row for part in parts])


def _opening(parts: Sequence[_Part], first: int, head: int) -> str:
    """How a quotation opens: rows stand on lines of their own; what is left out is marked."""
    if head < first:
        left_out = "\n" if head + 1 == first else f"\n{_LEFT_OUT}\n"
        return f"“{_LEFT_OUT if head else ''}\n{parts[head].text}{left_out}"
    return ("“" + _LEFT_OUT * bool(first)) + ("\n" if parts[first].is_row else " " * bool(first))


def _closing(parts: Sequence[_Part], last: int, *, cut: bool) -> str:
    left_out = cut or last + 1 < len(parts)
    return ("\n" if parts[last].is_row else " " * left_out) + _LEFT_OUT * left_out + "”"


def _joint(following: _Part) -> str:
    return "\n" if following.opens_line else " "


def _words(text: str) -> frozenset[str]:
    return words(text) | frozenset(_NUMBER.findall(text))


def _of_number(question: str, text: str, language: str) -> float:
    """What it counts that a part has a number which the question asks for: none that counts items or names a thing."""
    if _ASKS_FOR_NUMBER.search(question) is None:
        return 0.0
    _, measured = things_in(_ITEM.sub("", text), language)
    return _NUMBER_WEIGHT if set(_NUMBER.findall(measured)) - set(_NUMBER.findall(question)) else 0.0
