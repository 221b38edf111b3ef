"""What somebody belongs to here, by the groups that a directory says they are in.

Rules this module keeps:

1. With a map, only what is mapped counts. Without one, groups are called here what they are called there.
2. Roles come from groups that are named for them, as they are called there; nobody becomes admin or compliance officer
   by a group of the same name.
3. Who would be both admin and compliance officer is refused, and so is who would have no role at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from appliance.domain import Role
from appliance.errors import AccessDenied


class GroupRules(Protocol):
    """Which groups there are which groups and roles here."""

    @property
    def groups(self) -> Mapping[str, str]:
        """From a group there to one here; empty for all of them, as they are called there."""
        ...

    @property
    def employee_groups(self) -> tuple[str, ...]:
        """Who is an employee; empty for everybody."""
        ...

    @property
    def admin_groups(self) -> tuple[str, ...]:
        """Who is an admin."""
        ...

    @property
    def compliance_groups(self) -> tuple[str, ...]:
        """Who is a compliance officer."""
        ...


def groups_here(there: frozenset[str], rules: GroupRules) -> frozenset[str]:
    """The groups here of somebody in these groups there."""
    return frozenset(rules.groups[group] for group in there & rules.groups.keys()) if rules.groups else there


def roles_here(there: frozenset[str], rules: GroupRules, directory: str) -> frozenset[Role]:
    """The roles of somebody in these groups there. Raises AccessDenied: none, or two that nobody may hold together."""
    roles = set()
    if not rules.employee_groups or there & set(rules.employee_groups):
        roles.add(Role.EMPLOYEE)
    if there & set(rules.admin_groups):
        roles.add(Role.ADMIN)
    if there & set(rules.compliance_groups):
        roles.add(Role.COMPLIANCE)
    if {Role.ADMIN, Role.COMPLIANCE} <= roles:
        raise AccessDenied(
            f"By your groups at '{directory}' you would be both admin and compliance officer, which nobody can be. "
            "Ask for one of the two to be taken from you there."
        )
    if not roles:
        raise AccessDenied(
            f"'{directory}' knows you, but no group of yours there may use this appliance. Ask an administrator which "
            "one you need."
        )
    return frozenset(roles)


def texts(values: Iterable[object]) -> frozenset[str]:
    """The names in a list that hold something besides space."""
    return frozenset(value.strip() for value in values if isinstance(value, str) and value.strip())
