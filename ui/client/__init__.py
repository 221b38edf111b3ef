"""The only door from the screens to the appliance: HTTP, with the wire types of the API.

Rules this package keeps:

1. The reader's session cookie travels with every call. The API alone decides what it allows.
2. Every failure is an `ApiProblem` with a sentence for people. It never carries what was sent or received.
3. Identifiers are quoted before they become part of a path; what could lead to another one is told as not found.
"""

from __future__ import annotations

from ui.client.admins import ForAdmins
from ui.client.calls import CUT_OFF, ApiProblem, checked
from ui.client.everyone import ForEveryone
from ui.client.officers import ForOfficers

__all__ = ["CUT_OFF", "ApiProblem", "Client", "checked"]


class Client(ForEveryone, ForAdmins, ForOfficers):
    """The API on behalf of one signed-in reader."""
