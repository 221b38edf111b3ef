"""Which groups of a directory somebody is in, through any number of others, and what they are called here.

Rules this module keeps:

1. Groups are walked upwards from a person, one level after the other, each once: a circle ends where it closes. Where
   there are more levels or groups than any organisation has, somebody is in none: half of a list would be a guess.
2. A group comes in by a name that was chosen for its DN, or by its cn. A cn is the name of a group only while no
   other group of the directory has it; two groups are never taken for one. Whoever may make a group chooses its cn:
   one that reads like the DN of another group does not mean that one.
3. A group that nobody mapped or included stays outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from appliance.auth.naming import label_or_none
from appliance.config.identity import LdapSettings
from appliance.ldap import filters
from appliance.ldap.connection import Connection
from appliance.ldap.messages import Entry
from appliance.ldap.names import Name, compared
from appliance.letter_case import in_one_case

MAX_LEVELS = 32
MAX_GROUPS = 5_000

_NAME = "cn"


@dataclass(frozen=True, slots=True)
class Belonging:
    """What somebody's groups come to here. `notes` say what was left out, for an administrator."""

    groups: frozenset[str]
    is_admin: bool
    is_compliance: bool
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    dn: str
    names: tuple[str, ...]

    @property
    def key(self) -> Name | str:
        """What tells it from every other group."""
        return compared(self.dn) or self.dn


@dataclass(slots=True)
class GroupFinder:
    """Finds groups over one connection, and remembers what it found for as long as it lives."""

    connection: Connection
    settings: LdapSettings
    _above: dict[Name | str, list[_Group]] = field(default_factory=dict)
    _namesakes: dict[str, int] = field(default_factory=dict)

    def of(self, person: Entry, login: str) -> Belonging:
        """What a person belongs to, directly or not. Raises DirectoryUnavailable."""
        if not self.settings.groups_base:
            return Belonging(frozenset(), False, False, ())
        found = self._all_above(person, login)
        if found is None:
            told = f"'{login}' is in more than {MAX_GROUPS:,} groups, or {MAX_LEVELS} levels deep, and so in none here."
            return Belonging(frozenset(), False, False, (told,))
        notes: set[str] = set()
        groups = {name for group in found if (name := self._label(self._name_here(group, notes), notes))}
        is_admin, is_compliance = (
            any(self._is_among(group, wanted, notes) for group in found)
            for wanted in (self.settings.admin_groups, self.settings.compliance_groups)
        )
        return Belonging(frozenset(groups), is_admin, is_compliance, tuple(sorted(notes)))

    def _all_above(self, person: Entry, login: str) -> list[_Group] | None:
        """Every group that holds a person, nearest first; None when there is no end to them."""
        members = [filters.equal(attribute, person.dn) for attribute in ("member", "uniqueMember")]
        level = self._holding([*members, filters.equal("memberUid", login)])
        known: dict[Name | str, _Group] = {}
        for _ in range(MAX_LEVELS):
            new = [group for group in level if group.key not in known]
            known |= {group.key: group for group in new}
            if not new or len(known) > MAX_GROUPS:
                break
            level = [above for group in new for above in self._above_group(group)]
        else:
            return None
        return list(known.values()) if len(known) <= MAX_GROUPS else None

    def _above_group(self, group: _Group) -> list[_Group]:
        if group.key not in self._above:
            holding = [filters.equal(attribute, group.dn) for attribute in ("member", "uniqueMember")]
            self._above[group.key] = self._holding(holding)
        return self._above[group.key]

    def _holding(self, members: Iterable[filters.Filter]) -> list[_Group]:
        wanted = filters.all_of(filters.parsed(self.settings.resolved("groups_filter")), filters.any_of(members))
        found = self.connection.search(self.settings.groups_base, wanted, (_NAME,), at_most=MAX_GROUPS + 1)
        return [_Group(entry.dn, entry.texts(_NAME)) for entry in found]

    def _label(self, name: str, notes: set[str]) -> str:
        label = label_or_none(name) or ""
        if name and not label:
            notes.add("A group is left out: its name is too long, or not printable. Give it another in ldap.groups.")
        return label

    def _name_here(self, group: _Group, notes: set[str]) -> str:
        """What a group is called here; empty when it stays outside."""
        for given, here in self.settings.groups.items():
            if self._is_among(group, (given,), notes):
                return here
        included = [name for name in group.names if _fits(name, self.settings.include_groups)]
        return included[0] if included and self._is_alone(group, included[0], notes) else ""

    def _is_among(self, group: _Group, given: Iterable[str], notes: set[str]) -> bool:
        """Whether a group is one of those that settings name by DN or cn."""
        by_dn = {one: compared(one) for one in given}
        if group.key in by_dn.values():
            return True
        names = {in_one_case(one) for one, dn in by_dn.items() if dn is None}
        named = [name for name in group.names if in_one_case(name) in names]
        return bool(named) and self._is_alone(group, named[0], notes)

    def _is_alone(self, group: _Group, name: str, notes: set[str]) -> bool:
        """Whether a cn means this group and no other."""
        key = in_one_case(name)
        if key not in self._namesakes:
            wanted = filters.all_of(filters.parsed(self.settings.resolved("groups_filter")), filters.equal(_NAME, name))
            found = self.connection.search(self.settings.groups_base, wanted, (_NAME,), at_most=2)
            self._namesakes[key] = len(found)
        alone = self._namesakes[key] == 1 and len(group.names) == 1
        if not alone:
            notes.add(
                f"The group '{name}' is left out: the directory has another of that name, or this one has several "
                f"names. Name it by its DN in ldap.groups ({group.dn})."
            )
        return alone


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(in_one_case(name), in_one_case(pattern)) for pattern in patterns)
