"""Words that mean the same: completes a question with what its documents may call the thing.

An embedding model of this size and BM25 alike miss that "capex" stands in a cash flow statement as "purchases of
property, plant and equipment". So a question that holds one name of a thing is searched together with its other names.
What comes with the appliance are common abbreviations and terms of accounting, personnel and IT; an organisation adds
its own.

The file is TOML: a list of lists, each of them the names of one thing.

    same = [
        ["capex", "capital expenditure", "purchases of property, plant and equipment"],
        ["AU certificate", "sick note", "certificate of incapacity for work"],
    ]

A name may stand for several things: "DPO" is the data protection officer and the days payable outstanding. A question
is then completed with the names of all of them: passages of the wrong thing cost a place or two, and without the names
those of the right one are hardly found. Where the question calls one of them by another name too, it means that one.
What two files say of a name counts together: an organisation adds to what is shipped.

Names are compared word by word, regardless of plural s and of case, but for abbreviations of two or three capitals:
"AU" is a sick note, "au" a French word. Only the question is completed, never a document: a change acts at once.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from appliance.errors import ConfigurationError
from appliance.language.endings import singular

_SHIPPED = "glossary.toml"
_WORD = re.compile(r"[^\W_]+(?:[&/][^\W_]+)*")
_MOST_ADDED = 6  # things that one question is completed with: it is to stay the question
_LONGEST_NAME = 12  # words
_SHORT = 3  # letters of an abbreviation whose capitals count


class Glossary:
    """Names of the same things. Pure once it is made."""

    def __init__(self, *files: Iterable[Sequence[str]]) -> None:
        """Take over the things of each file; the first comes first."""
        listed = [(tuple(names), file) for file, things in enumerate(files) for names in things]
        self._things: list[Sequence[str]] = [names for names, _ in listed]
        self._file_of = [file for _, file in listed]
        self._named: dict[tuple[str, ...], list[int]] = {}
        for number, names in enumerate(self._things):
            for name in names:
                self._named.setdefault(_words(name), []).append(number)
        self._longest = max(map(len, self._named), default=0)

    def complete(self, question: str) -> str:
        """The question, followed by the other names of what it names; the question itself when it names nothing."""
        added = [name for number in self._found(question) for name in self._others(number, question)]
        return f"{question} ({'; '.join(dict.fromkeys(added))})" if added else question

    def _found(self, question: str) -> list[int]:
        """The things that a question names, in the order in which it names them; longer names before shorter ones."""
        names = dict.fromkeys(self._names_in(_words(question)))
        often = Counter(number for name in names for number in set(self._named[name]))
        found: dict[int, None] = {}
        for name in names:
            things = self._named[name]
            settled = {self._file_of[number] for number in things if often[number] > 1}  # called by another name too
            meant = (number for number in things if often[number] > 1 or self._file_of[number] not in settled)
            found.update(dict.fromkeys(meant))
        return list(found)[:_MOST_ADDED]

    def _names_in(self, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        position = 0
        while position < len(words):
            for length in range(min(self._longest, len(words) - position), 0, -1):
                name = words[position : position + length]
                if name in self._named:
                    yield name
                    position += length - 1
                    break
            position += 1

    def _others(self, number: int, question: str) -> list[str]:
        present = " ".join(_words(question))
        return [name for name in self._things[number] if f" {' '.join(_words(name))} " not in f" {present} "]


def load_glossary(path: str = "") -> Glossary:
    """The shipped glossary and, where there is a path, an organisation's own. Raises ConfigurationError."""
    shipped = resources.files(__package__).joinpath(_SHIPPED).read_text("utf-8")
    files = [_read(shipped, _SHIPPED)]
    if path:
        try:
            files.insert(0, _read(Path(path).read_text("utf-8-sig"), path))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"The glossary {path} cannot be read: check retrieval.glossary_path and the file's permissions."
            ) from error
    return Glossary(*files)


def _read(text: str, name: str) -> list[list[str]]:
    try:
        things = tomllib.loads(text).get("same")
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The glossary {name} is not valid TOML: {error}. Correct the file.") from error
    if not isinstance(things, list):
        raise ConfigurationError(
            f"The glossary {name} has no list 'same' of lists of names. Write: same = [['PTO', 'paid time off']]"
        )
    for number, names in enumerate(things, start=1):
        if not _is_thing(names):
            raise ConfigurationError(
                f"Entry {number} of the glossary {name} is not a list of two or more names of at most "
                f"{_LONGEST_NAME} words each. Correct it, or take it out."
            )
    return things


def _is_thing(names: object) -> bool:
    return (
        isinstance(names, list)
        and len(names) > 1
        and all(isinstance(name, str) and 0 < len(_words(name)) <= _LONGEST_NAME for name in names)
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word if _is_abbreviation(word) else singular(word.casefold()) for word in _WORD.findall(text))


def _is_abbreviation(word: str) -> bool:
    return 2 <= len(word) <= _SHORT and word.isalpha() and word.isupper()
