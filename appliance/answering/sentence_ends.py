"""Where the sentences of a text end, in English, German, French, Italian and Spanish at once. Pure.

What ends a sentence is a full stop, a question or an exclamation mark before something that can begin one. A dot does
not where it belongs to

1. an initial ("Mary N. Dillon") or an abbreviation of single letters ("z. B.", "e.g.", "U.S.");
2. an ordinal or the number of a section ("3. Mai", "Ihr 2. Jahr", "4.2. Notice"): a number up to 999. Where the words
   before it are of a language that writes no ordinals with a dot, it may end what it is the last word of ("The key
   hangs in locker 17. Boats are hired");
3. an abbreviation that never stands alone ("Dr.", "vgl.", "p. ex.");
4. one that leads to a number, if one follows ("Art. 5", "No. 12", "lit. a"). "The answer is no." ends.

In doubt it does not end: two sentences in one piece cost less than one in two. Rules of our own, because those learnt
from newspapers (NLTK's Punkt, which comes with llama-index) end sentences at "Art. 5", "Fig. 3" and "z. B. Kinder".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from appliance.dates import MONTHS
from appliance.index.names import begins_sentence

_MARKERS = r"(?:\s*\[\d+\])*"
_END = re.compile(rf"[.!?…]['\"”’»)*_]*{_MARKERS}(?=\s+[^\sa-zà-ÿ])")
_LAST_WORD = re.compile(r"[^\W_]+\Z")
_LONGEST = 12  # characters that are looked at before a dot
_NEAR = 300  # and whose words tell the language before a number
_MAY_STAND_BEFORE = frozenset(' \t\xa0\u202f\n.([{„“"«»‘-/*_|')
_APOSTROPHES = frozenset("'’")
_OF_TWO_WORDS = re.compile(r"\b(?:et al|ad es|p(?:ar|\.)?\s?ex)\Z", re.IGNORECASE)
_ANY_WORD = re.compile(r"[^\W\d_]+")
_BEFORE_A_NUMBER = re.compile(r"([^\W\d_]{2,}) \Z")
_CAPITAL_FOLLOWS = re.compile(r"\s+([^\W\d_]+)")
_NUMBER_FOLLOWS = re.compile(r"\s*(?:[\d§(]|[^\W\d_][.):,;\s]|[IVXLC]{1,7}\b)")

_NEVER_ALONE = """
dr dra drs prof profs mr mrs ms messrs st sr sra srta jr sig sigg dott ssa ra ing dipl lic hr fr hon rev gen col capt lt
sgt gov sen mme mlle vs cf cfr vgl bzw resp sog ggf ggfs evtl bspw inkl exkl insb gem geb ca zzgl abzgl etc usw ecc inc
ltd corp co bros ed eds mio mrd tsd approx dept ave blvd bd ej ud uds ee uu avda
"""
_LEADING_TO_NUMBERS = """
no nos nr art arts abs fig figs sec sect secs p pp pag pág vol vols ch chap cap kap ziff bst lit let lett cpv al par
para paras núm num reg regs tab app anh rz ss sez max min mind env abb jan feb febr mar mär apr jun jul aug sep sept oct
okt nov dec dez janv févr avr juil déc mag giu lug ago set ott dic ene abr
"""
_GERMAN_WORDS = """
ab als auch auf aus bei beim bis das dass dem den der des die dies diese diesem diesen dieser durch ein eine einem einen
einer eines für gemäss gemäß haben hat ihr ihre ihrem ihren ihrer im ist kann laut mit muss nach nicht oder ohne sein
sich sie sind und unser unsere unserem unseren unserer vom von vor werden wird wurde zu zum zur
"""
_OTHER_WORDS = """
and are at by for from has have is of on or that the this to was with
au aux dans du est et la le les par pour sont sur une
che con del della di gli il lo nel per sono è
como el es los las para por que son y
"""
_GERMAN, _OTHERS = frozenset(_GERMAN_WORDS.split()), frozenset(_OTHER_WORDS.split())
_ABBREVIATIONS, _BEFORE_NUMBERS = frozenset(_NEVER_ALONE.split()), frozenset(_LEADING_TO_NUMBERS.split())


def sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """The places in `text[start:end]` after which a new sentence begins; markers after a dot belong to what it ends."""
    for found in _END.finditer(text, start, end):
        if text[found.start()] != "." or not belongs_to_word(text, start, found.start()):
            yield found.end()


def is_abbreviation(word: str) -> bool:
    """Whether a word is an abbreviation that never stands alone: a title before a name, a legal form after one."""
    return word.casefold() in _ABBREVIATIONS


def belongs_to_word(text: str, start: int, dot: int) -> bool:
    """Whether the dot at `dot` belongs to the word before it, which begins at `start` at the earliest."""
    before = text[max(start, dot - _LONGEST) : dot]
    last = _LAST_WORD.search(before)
    if last is None:
        return False
    word, place = last[0].casefold(), dot - len(last[0])
    may_stand_before = _MAY_STAND_BEFORE if len(word) == 1 else _MAY_STAND_BEFORE | _APOSTROPHES  # "You don't."
    if place > start and text[place - 1] not in may_stand_before:
        return False
    if word.isdecimal() and len(word) <= 3:
        return not _ends_on_a_number(text, start, place, dot)
    if len(word) == 1 or word in _ABBREVIATIONS:
        return True
    if word in _BEFORE_NUMBERS and _NUMBER_FOLLOWS.match(text, dot + 1):
        return True
    return _OF_TWO_WORDS.search(before) is not None


def _ends_on_a_number(text: str, start: int, place: int, dot: int) -> bool:
    """Whether a sentence ends on the number at `place`: it is no ordinal, and counts no section or step."""
    said, following = text[max(start, place - _NEAR) : place], _CAPITAL_FOLLOWS.match(text, dot + 1)
    before = _BEFORE_A_NUMBER.search(said)
    if before is None or following is None or not following[1][0].isupper() or following[1].casefold() in MONTHS:
        return False
    if begins_sentence(said, before.start()) or re.search(rf"(?<!\d){int(text[place:dot]) - 1}\.", said):
        return False  # "Section 4. Notice", "1. Apply 2. Wait"
    words = frozenset(word.casefold() for word in _ANY_WORD.findall(said))
    return words.isdisjoint(_GERMAN) and not words.isdisjoint(_OTHERS)
