"""What directories tell of people: takes it over into the tables, in the caller's transaction.

Rules this module keeps:

1. A directory speaks of its own people only. Nobody of another directory, and no local account, is ever taken over,
   whatever name the directory uses.
2. What a directory gives replaces what it gave before, and touches nothing that was given here.
3. Who is disabled here stays so, whatever the directory says.
4. Who the directory knows no more is shut out at once, with all their sessions and tokens.
5. Who the directory signed out brings back nothing that it told before: not by a sign-in either that began before that.
6. An answer is as old as its question. What a newer question was answered stays, whichever answer is taken over last.
7. A group or a display name that cannot be one here is left out: it must not hold up what the directory takes away.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from appliance.auth.identity import DirectoryState, DirectoryTerms, Identity, SignOut
from appliance.auth.naming import checked_name, label_or_none, normal_name
from appliance.auth.tables import (
    MAX_LABEL_CHARACTERS,
    MAX_SUBJECT_CHARACTERS,
    directories,
    memberships,
    people,
    sessions,
    sign_outs,
)
from appliance.domain import Role
from appliance.errors import AccessDenied, Conflict, InvalidRequest, NotFound, NotSignedIn

SIGN_OUTS_KEPT = timedelta(hours=1)
"""Longer than a logout token counts, and than a sign-in may take."""


def admit(connection: Connection, identity: Identity, at: datetime) -> str:
    """Take over what a directory says, as of `at`, of somebody who proved who they are.

    Makes them known at the first time. Who was heard of since is left as they are.

    Returns:
        The id of the person.

    Raises:
        AccessDenied: They are disabled here.
        Conflict: Somebody else has that name.
        InvalidRequest: A name or subject that cannot be one.
        NotFound: The directory is not configured.
    """
    _require_configured(connection, identity.directory)
    row = _one(connection, identity)
    if row is None:
        person_id = _add(connection, identity, at)
        _write_groups(connection, person_id, identity)
    elif row.disabled:
        raise AccessDenied("This account is disabled here. Ask an administrator to enable it.")
    else:
        person_id = str(row.id)
        if not _take_over(connection, row, identity, at):
            return person_id
    _heard(connection, identity.directory, at)
    return person_id


def hear(connection: Connection, identity: Identity, at: datetime) -> None:
    """Take over what a directory says, as of `at`, of somebody known here who did not sign in just now.

    Who was heard of since is left as they are. It says nothing of how the directory stands: a sync of everybody does.
    """
    row = _one(connection, identity)
    if row is not None:
        _take_over(connection, row, identity, at)


def renew(connection: Connection, directory: str, identities: Iterable[Identity], at: datetime) -> None:
    """Take over a directory's whole word, as of `at`, on the people of it who are known here.

    Nobody is made known by this. Those it does not name are shut out. Who was heard of since is left alone: that word
    is newer than this one.

    Raises:
        InvalidRequest: An identity is of another directory. Nothing was changed.
        NotFound: The directory is not configured.
    """
    _require_configured(connection, directory)
    told = {identity.subject: identity for identity in identities}
    if any(identity.directory != directory for identity in told.values()):
        raise InvalidRequest(f"The directory '{directory}' can tell of its own people only.")
    for subject, row in _known(connection, directory).items():
        identity = told.get(subject)
        if identity is not None:
            _take_over(connection, row, identity, at)
        elif row.heard_at is None or row.heard_at <= at:
            _shut_out(connection, str(row.id), at)
    _heard(connection, directory, at)


def sign_out(connection: Connection, told: SignOut, now: datetime) -> bool:
    """Note that a directory signed somebody out; withdraw what it gave them, if all of their sessions are meant.

    That counts again once they sign in anew. Their sessions are for the caller to end, in the same transaction.

    Returns:
        Whether there was anything to withdraw.

    Raises:
        InvalidRequest: This very message was heard before.
        NotFound: The directory is not configured.
    """
    _require_configured(connection, told.directory)
    if connection.scalar(select(sign_outs.c.at).where(sign_outs.c.message == told.message)) is not None:
        raise InvalidRequest("This sign-out was heard before, and counts once. Send a new one.")
    noted = {"message": told.message, "directory": told.directory, "subject": told.subject, "session": told.session}
    connection.execute(insert(sign_outs), {**noted, "at": now})
    if told.session:
        return False
    theirs = whom(told.directory, told.subject) & people.c.heard_at.is_not(None)
    return connection.execute(update(people).where(theirs).values(heard_at=None)).rowcount > 0


def whom(directory: str, subject: str) -> ColumnElement[bool]:
    """The account of somebody of a directory."""
    return (people.c.directory == directory) & (people.c.subject == subject)


def require_not_signed_out(connection: Connection, identity: Identity, since: datetime) -> None:
    """Raises NotSignedIn when the directory signed them out after `since`: what they bring may be older than that."""
    of_them = sign_outs.c.subject == identity.subject
    # where it is not known which session they came by, it may be any of theirs
    this_one = sign_outs.c.session == identity.session if identity.session else of_them
    meant = or_(this_one, of_them & (sign_outs.c.session == ""))
    mine = (sign_outs.c.directory == identity.directory) & (sign_outs.c.at >= since)
    if connection.scalar(select(sign_outs.c.message).where(mine, meant).limit(1)) is not None:
        raise NotSignedIn("You were signed out there while you signed in here. Sign in again.")


def forget_sign_outs(connection: Connection, now: datetime) -> None:
    """Delete what was said of sign-outs so long ago that nothing is compared with it any more."""
    connection.execute(delete(sign_outs).where(sign_outs.c.at <= now - SIGN_OUTS_KEPT))


def set_terms(connection: Connection, terms: Iterable[DirectoryTerms]) -> None:
    """Which directories there are. Those that were there before and are not named now count for nothing."""
    named = {term.name: term for term in terms}
    connection.execute(update(directories).where(directories.c.name.not_in(named)).values(max_age_s=0))
    known = set(connection.scalars(select(directories.c.name)))
    for name, term in named.items():
        values = {"kind": term.kind, "max_age_s": term.max_age_s}
        if name in known:
            connection.execute(update(directories).where(directories.c.name == name).values(values))
        else:
            connection.execute(insert(directories), {"name": name, "problem": "", **values})


def failed(connection: Connection, directory: str, problem: str, at: datetime) -> None:
    """Note that a directory could not be asked, and why. What it told before is kept until it is too old."""
    _require_configured(connection, directory)
    mine = directories.c.name == directory
    connection.execute(update(directories).where(mine).values(attempted_at=at, problem=problem))


def states(connection: Connection) -> list[DirectoryState]:
    """Every directory there is or was, by name."""
    rows = connection.execute(select(directories).order_by(directories.c.name))
    return [
        DirectoryState(row.name, row.kind, row.max_age_s, row.synced_at, row.attempted_at, row.problem) for row in rows
    ]


def _require_configured(connection: Connection, directory: str) -> None:
    mine = (directories.c.name == directory) & (directories.c.max_age_s > 0)
    if connection.scalar(select(directories.c.name).where(mine)) is None:
        raise NotFound(f"No directory '{directory}' is configured. Name it in the settings, and start again.")


def _known(connection: Connection, directory: str) -> Mapping[str, Row[Any]]:
    """The people of a directory, by subject."""
    rows = connection.execute(select(people).where(people.c.directory == directory))
    return {row.subject: row for row in rows}


def _one(connection: Connection, identity: Identity) -> Row[Any] | None:
    return connection.execute(select(people).where(whom(identity.directory, identity.subject))).one_or_none()


def _take_over(connection: Connection, row: Row[Any], identity: Identity, at: datetime) -> bool:
    """Whether that was the newest word; else nothing is changed."""
    if row.heard_at is not None and row.heard_at > at:
        return False
    _renew(connection, row, identity, at)
    _write_groups(connection, str(row.id), identity)
    return True


def _add(connection: Connection, identity: Identity, now: datetime) -> str:
    subject, name = identity.subject, checked_name(identity.name)
    if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise InvalidRequest(f"The directory '{identity.directory}' gave no usable subject for '{name}'.")
    if _is_taken(connection, name):
        raise Conflict(
            f"'{name}' of the directory '{identity.directory}' cannot sign in: somebody else has that name here. "
            "Ask an administrator to have one of the two renamed."
        )
    person_id = str(uuid.uuid4())
    row = {
        "id": person_id,
        "name": name,
        "password_hash": "",
        "roles": [],
        "disabled": False,
        "created_at": now,
        "directory": identity.directory,
        "subject": subject,
        **_told(identity, now),
    }
    connection.execute(insert(people), row)
    return person_id


def _renew(connection: Connection, row: Row[Any], identity: Identity, at: datetime) -> None:
    values = _told(identity, at)
    name = normal_name(identity.name)
    if name is not None and not _is_taken(connection, name):  # else they keep the name they had
        values["name"] = name
    connection.execute(update(people).where(people.c.id == row.id).values(values))


def kept_groups(identity: Identity) -> frozenset[str]:
    """The groups of an identity that can be one here, each in the form it is kept in."""
    return frozenset(label for group in identity.groups if (label := label_or_none(group)))


def _told(identity: Identity, at: datetime) -> dict[str, Any]:
    officer = {"was_officer": True} if Role.COMPLIANCE in identity.roles else {}
    return officer | {
        "display_name": label_or_none(identity.display_name) or identity.name[:MAX_LABEL_CHARACTERS],
        "directory_roles": sorted(identity.roles),
        "heard_at": at,
        "gone": False,
    }


def _is_taken(connection: Connection, name: str) -> bool:
    return connection.scalar(select(people.c.id).where(people.c.name == name)) is not None


def _write_groups(connection: Connection, person_id: str, identity: Identity) -> None:
    theirs = (memberships.c.person_id == person_id) & (memberships.c.origin == identity.directory)
    connection.execute(delete(memberships).where(theirs))
    groups = sorted(kept_groups(identity))
    rows = [{"person_id": person_id, "group_name": group, "origin": identity.directory} for group in groups]
    if rows:
        connection.execute(insert(memberships), rows)


def _shut_out(connection: Connection, person_id: str, at: datetime) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(gone=True, heard_at=at))
    # a second factor that was begun and not finished: whoever began it knows the secret
    unfinished = (people.c.id == person_id) & people.c.totp_on.is_(False)
    connection.execute(update(people).where(unfinished).values(totp_secret=""))
    connection.execute(delete(sessions).where(sessions.c.person_id == person_id))


def _heard(connection: Connection, directory: str, at: datetime) -> None:
    mine = directories.c.name == directory
    connection.execute(update(directories).where(mine).values(synced_at=at, attempted_at=at, problem=""))
