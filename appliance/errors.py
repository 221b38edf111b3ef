"""The error tree. One root, one branch per neighbour; adapters raise nothing else.

Rules this module keeps:

1. A class knows its HTTP status and a stable code for programs; one handler maps them.
2. A message is one or two sentences: what happened, to what, and what to do. It never holds a word of a document,
   a question or an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

_Kind = TypeVar("_Kind", bound="ApplianceError")


def place_of(error: BaseException) -> str:
    """File and line where an error was raised: what may be logged of one whose message may hold what somebody wrote."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown place"


class ApplianceError(Exception):
    """Something went wrong that we can name."""

    status = 500
    code = "internal"


def code_of(error: BaseException) -> str:
    """The code an error goes on record with: that of its class, `internal` for one that has no name here."""
    return error.code if isinstance(error, ApplianceError) else ApplianceError.code


def by_code(*kinds: type[_Kind]) -> Mapping[str, type[_Kind]]:
    """Errors by their codes: those that another process may name, which is trusted with no others."""
    return {kind.code: kind for kind in kinds}


class ConfigurationError(ApplianceError):
    """A setting is wrong or unknown."""

    code = "configuration"


class DataFolderBusy(ApplianceError):
    """Another process owns the data folder."""

    status = 409
    code = "data_folder_busy"


class InvalidRequest(ApplianceError):
    """What was asked for makes no sense as it stands."""

    status = 422
    code = "invalid_request"


class NotFound(ApplianceError):
    """There is no such thing, or this principal may not know of it: the two look the same."""

    status = 404
    code = "not_found"

    def __init__(self, message: str = "Not found, or not yours to see.") -> None:
        super().__init__(message)


class Conflict(ApplianceError):
    """It exists already, or is in use."""

    status = 409
    code = "conflict"


class NotSignedIn(ApplianceError):
    """No valid session or token."""

    status = 401
    code = "not_signed_in"

    def __init__(self, message: str = "Sign in first.") -> None:
        super().__init__(message)


class AccessDenied(ApplianceError):
    """Signed in, but this role may not do this."""

    status = 403
    code = "access_denied"

    def __init__(self, message: str = "Your role does not include this.") -> None:
        super().__init__(message)


class PasswordChangeRequired(AccessDenied):
    """Signed in with a password that somebody else has set: until it is changed, nothing else works."""

    code = "password_change_required"

    def __init__(self) -> None:
        super().__init__("Change your password first, at /password: it was set by an administrator.")


class SecondFactorRequired(AccessDenied):
    """This role needs a second factor, and none is set up: until it is, nothing else works."""

    code = "second_factor_required"

    def __init__(self) -> None:
        super().__init__("Set up your second factor first, at /second-factor: your role needs one.")


class LogNotOpened(AccessDenied):
    """The query log is shown to those who wrote down why they read it: until then, and after an hour, it is not."""

    code = "log_not_opened"

    def __init__(self) -> None:
        super().__init__("Write down first why you read the query log. The reason goes on record.")


class TooManyAttempts(ApplianceError):
    """Signing in with a password is paused for this name or address, or the old password was wrong too often."""

    status = 429
    code = "too_many_attempts"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        whole_s = max(1, round(wait_s))
        wait = f"{whole_s} second{'s' * (whole_s != 1)}" if whole_s < 90 else f"{math.ceil(whole_s / 60)} minutes"
        super().__init__(f"Too many failed sign-ins. Wait {wait} and try again.")


class DirectoryUnavailable(ApplianceError):
    """A directory of people (single sign-on, LDAP) cannot be reached or trusted. What it told before goes stale."""

    status = 503
    code = "directory_unavailable"


class IndexUnavailable(ApplianceError):
    """The vector index cannot be opened, reached or trusted."""

    status = 503
    code = "index_unavailable"


class CatalogUnavailable(ApplianceError):
    """The catalog database cannot be read or written."""

    status = 503
    code = "catalog_unavailable"


class ModelUnavailable(ApplianceError):
    """A model (embedding or language) cannot be loaded or reached."""

    status = 503
    code = "model_unavailable"


class ContextOverflow(ModelUnavailable):
    """The prompt is longer than the model's context window. Nothing was cut; nothing was answered."""

    code = "context_overflow"


class DocumentRejected(ApplianceError):
    """A document cannot be taken in. The message is the reason shown to the admin."""

    status = 422
    code = "document_rejected"


class DocumentNeedsPassword(DocumentRejected):
    """A document is encrypted."""

    code = "document_needs_password"


class DocumentEmpty(DocumentRejected):
    """There is nothing in a document to read. Nothing went wrong."""

    code = "document_empty"


class DocumentUnreadable(DocumentRejected):
    """A document is damaged, gave no text, or took more time or memory than allowed."""

    code = "document_unreadable"


class ParserBroken(DocumentUnreadable):
    """The parser died, hung or gave nonsense on a document. Trying again may help; doing so for ever does not."""

    code = "parser_broken"


class FileUnavailable(DocumentUnreadable):
    """A file could not be opened or read to its end. That may change without the file changing."""

    code = "file_unavailable"


OF_A_PARSER = (DocumentRejected, DocumentEmpty, DocumentNeedsPassword, DocumentUnreadable, ParserBroken)
"""What may be wrong with a document in the eyes of what parses it."""


class AuditUnavailable(ApplianceError):
    """The query log cannot be written, so nothing may be answered."""

    status = 503
    code = "audit_unavailable"


class AuditBroken(ApplianceError):
    """The query log does not verify. `seq` is the first bad entry (0-based), None when the log as a whole is wrong."""

    status = 500
    code = "audit_broken"

    def __init__(self, message: str, seq: int | None = None) -> None:
        self.seq = seq
        super().__init__(message)
