"""What the desk calls people: a name that means nothing, and is the same wherever the person appears.

Rules this module keeps:

1. A pseudonym is an HMAC of the account id under a secret of this appliance, in ten signs: it tells neither name nor
   account, and nobody can work it out or turn it back without the secret.
2. It stays for as long as the secret does, unlike the name a person has in the heads of the log, which is another one
   every month: a case is followed over months. It is made from what an entry holds, so it is gone with that.
3. The secret lies with the keys of the log, is backed up with them, and is made anew when it is lost: then everybody
   has another pseudonym.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from appliance.audit.checkpoint import put
from appliance.audit.entries import ITSELF
from appliance.errors import AuditUnavailable

SECRET_BYTES = 32
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without those that look like others
_LENGTH = 10
_FORM = re.compile(rf"P-[{_SIGNS}]{{5}}-[{_SIGNS}]{{5}}")
_MENTIONED = re.compile(r"(?<![\w-])P-\w{5}-\w{5}(?![\w-])", re.IGNORECASE)
_LOOK_ALIKES = str.maketrans("OIL", "011")

NOT_PEOPLE = frozenset({"", "operator", ITSELF})
"""Who acts without being a person: nobody, the command line, the appliance itself. They are called what they are."""


class Pseudonyms:
    """Turns account ids into pseudonyms."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, account: str) -> str:
        """What the desk calls somebody: "P-7K3M9-Q2XDA"; whoever is no person keeps their name."""
        if account in NOT_PEOPLE:
            return account
        digest = hmac.digest(self._secret, b"desk " + account.encode("utf-8", "surrogatepass"), "sha256")
        number = int.from_bytes(digest[:8], "big")
        signs = "".join(_SIGNS[number >> 5 * place & 31] for place in range(_LENGTH))
        return f"P-{signs[:5]}-{signs[5:]}"

    def account(self, pseudonym: str, accounts: Iterable[str]) -> str:
        """Which of these accounts has that pseudonym; empty when none has."""
        wanted = spelled(pseudonym)
        return next((account for account in accounts if self.of(account) == wanted), "") if wanted else ""


def spelled(text: str) -> str:
    """A pseudonym as `Pseudonyms.of` writes it, in whatever case it was typed; empty when this is none."""
    found = _FORM.fullmatch(text.strip().upper().translate(_LOOK_ALIKES))
    return found[0] if found else ""


def mentioned(text: str) -> frozenset[str]:
    """Every pseudonym that stands in a text, as `Pseudonyms.of` writes it."""
    return frozenset(filter(None, map(spelled, _MENTIONED.findall(text))))


def secret_path(log: Path) -> Path:
    """Where the secret of a log is kept."""
    return log.parent / "keys" / f"{log.stem}.pseudonyms"


def pseudonyms_of(log: Path) -> Pseudonyms:
    """The pseudonyms of a log whose keys are there; their secret is made if there is none.

    Raises:
        AuditUnavailable: The secret cannot be read or written.
    """
    path = secret_path(log)
    try:
        if not path.exists():
            put(path, secrets.token_bytes(SECRET_BYTES))
        secret = path.read_bytes()
    except OSError as error:
        raise AuditUnavailable(
            f"The secret of the pseudonyms {path} is not usable: {os.strerror(error.errno or 0)}. See to the folder of "
            "the keys of the query log."
        ) from error
    if len(secret) != SECRET_BYTES:
        raise AuditUnavailable(
            f"The secret of the pseudonyms {path} was cut. Restore it with the keys of the query log."
        )
    return Pseudonyms(secret)
