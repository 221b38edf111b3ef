"""Which answers a rule draws for the review queue. Everything here is pure.

Rules this module keeps:

1. Drawing is decided by HMAC-SHA256 under a secret of the rule, over the hash that stands for the answer's entry in the
   tree of the log. So it can be done again by whoever has the log and the secret, with the same outcome, and nobody
   can steer it: an asker knows no secret, and who knows the secret cannot choose the hash, because the entry is
   encrypted with a random nonce and is on disk before the hash is known. The number of the entry alone would not do:
   it can be foreseen, and one could wait for a number that is not drawn.
2. Every answer that was closed takes part, however it ended. If those that broke off did not, leaving before the last
   word would be a way past the queue.
3. The hash is of the head alone. An erasure leaves it as it is, and with it what was drawn.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from appliance.domain import Selects

WHOLE = 10_000
"""The share of a rule that draws every answer it looks at: shares are hundredths of a percent."""

_DIGITS = 8  # bytes of the HMAC that decide: one in 2^64 is fine enough for hundredths of a percent


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """Draws `share` hundredths of a percent of the answers it looks at, by their entries' numbers from `since` on.

    `until` is the entry that ended it, None while it is in force. It has no text of its own, so that its secret gets
    into no message.
    """

    id: str
    selects: Selects
    subject: str
    share: int
    secret: bytes
    since: int
    until: int | None

    def is_in_force(self, seq: int) -> bool:
        """Whether it acts on the answer that is entry `seq`."""
        return self.since < seq and (self.until is None or seq < self.until)

    def looks_at(self, flags: Collection[str], sources: Collection[str]) -> bool:
        """Whether it looks at an answer with these flags that cites documents of these sources."""
        if self.selects is Selects.FLAG:
            return self.subject in flags if self.subject else bool(flags)
        return self.selects is Selects.ALL or self.subject in sources

    def draws(self, leaf_hash: bytes) -> bool:
        """Whether the answer with this hash is among those that it draws."""
        drawn = hmac.digest(self.secret, leaf_hash, "sha256")[:_DIGITS]
        return int.from_bytes(drawn) * WHOLE < self.share << (8 * _DIGITS)
