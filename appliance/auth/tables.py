"""The tables of people: who they are, what they are in, what they are signed in with."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from appliance.database import Moment, metadata

MAX_LABEL_CHARACTERS = 128
"""The longest group name, display name or token label."""
MAX_SUBJECT_CHARACTERS = 255

people = Table(
    "people",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),  # casefolded
    Column("display_name", String(MAX_LABEL_CHARACTERS), nullable=False),
    Column("password_hash", String(256), nullable=False),  # empty: signs in by no password of ours
    Column("roles", JSON, nullable=False),  # those given here
    Column("disabled", Boolean, nullable=False),  # by an admin, here
    Column("created_at", Moment, nullable=False),
    Column("directory", String(64), nullable=False, server_default=""),  # empty: a local account
    Column("subject", String(MAX_SUBJECT_CHARACTERS), nullable=False, server_default=""),  # who this is there
    Column("directory_roles", JSON, nullable=False, server_default=text("'[]'")),  # those its directory gave
    Column("heard_at", Moment, nullable=True),  # when the directory last told of this person
    Column("gone", Boolean, nullable=False, server_default=text("0")),  # the directory knows them no more
    Column("service", Boolean, nullable=False, server_default=text("0")),  # a program: holds tokens, never signs in
    Column("must_change_password", Boolean, nullable=False, server_default=text("0")),
    Column("totp_secret", String(64), nullable=False, server_default=""),  # in base32; empty: none
    Column("totp_on", Boolean, nullable=False, server_default=text("0")),  # a first code proved that it arrived
    Column("totp_step", Integer, nullable=False, server_default=text("0")),  # the last time step that was used up
    Column("codes_failed", Integer, nullable=False, server_default=text("0")),  # in a row, until a right one
    Column("code_failed_at", Moment, nullable=True),  # the last of them
    Column("clearance", String(64), nullable=False, server_default=""),  # empty: the one that the settings name
    Column("handed_over_at", Moment, nullable=True),  # see standing.Person
    Column("was_officer", Boolean, nullable=False, server_default=text("0")),  # ever, given here or by a directory
)
Index(
    "ix_people_directory",
    people.c.directory,
    people.c.subject,
    unique=True,
    sqlite_where=people.c.directory != "",
)

memberships = Table(
    "memberships",
    metadata,
    Column("person_id", String(36), ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(MAX_LABEL_CHARACTERS), primary_key=True),
    Column("origin", String(64), primary_key=True, server_default=""),  # empty: given here; else the directory
)

directories = Table(
    "directories",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("max_age_s", Float, nullable=False),  # 0: not configured any more, so that its word counts for nothing
    Column("synced_at", Moment, nullable=True),  # the last time it told of people
    Column("attempted_at", Moment, nullable=True),
    Column("problem", Text, nullable=False),  # why the last attempt failed; empty when it did not
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("person_id", String(36), ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # a sessions.TokenKind
    Column("label", String(MAX_LABEL_CHARACTERS), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("scopes", JSON, nullable=False, server_default=text("'[]'")),  # of an API token; a session has none
    Column("issued_by", String(36), nullable=False, server_default=""),  # who made it for a program; empty: its owner
    Column("session_there", String(64), nullable=False, server_default=""),  # see identity.Identity; empty: not known
)

sign_outs = Table(
    "sign_outs",
    metadata,
    Column("message", String(64), primary_key=True),  # this and the next three: see identity.SignOut
    Column("directory", String(64), nullable=False),
    Column("subject", String(MAX_SUBJECT_CHARACTERS), nullable=False),
    Column("session", String(64), nullable=False),
    Column("at", Moment, nullable=False),  # when it was heard
)
"""What directories said of late of people who are signed out there."""

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name_key", String(64), nullable=False, index=True),
    Column("address", String(64), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("person_id", String(36), ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("code_sha256", String(64), primary_key=True),
)
