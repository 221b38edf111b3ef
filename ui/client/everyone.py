"""What every reader asks of the API: answers, documents, and what is their own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from appliance.api.schemas.access import AccessRequestIn, AccessRequestOut, TermsOut
from appliance.api.schemas.asking import ConversationDetail, ConversationOut, FeedbackIn, Question
from appliance.api.schemas.calling import AskPart, ask_parts
from appliance.api.schemas.documents import ChangesOut, CitedPassage, DocumentDetail, LibraryOut
from appliance.api.schemas.people import AccountOut, IssuedToken, Me, TokenInfo, TokenRequest
from appliance.api.schemas.shapes import Problem
from ui.client.calls import ApiProblem, Calls, checked, segment

_ANSWER_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # the longest silence while a model loads and reads


class ForEveryone(Calls):
    """The calls of whoever is signed in."""

    # the person

    def me(self) -> Me:
        """Who is signed in. Raises ApiProblem with status 401 when nobody is."""
        return self._get(Me, "/api/session")

    # asking

    def ask(self, question: str, conversation_id: str | None = None) -> Iterator[AskPart]:
        """The parts of an answer as they arrive. Raises ApiProblem where the API reports an error."""
        body = checked(Question, question=question, conversation_id=conversation_id)
        with self._streamed("/api/ask", body, timeout=_ANSWER_TIMEOUT) as pieces:
            for part in ask_parts(pieces):
                if isinstance(part, Problem):
                    raise ApiProblem(part)
                yield part

    def conversations(self, text: str = "", limit: int = 100) -> list[ConversationOut]:
        """One's own conversations, newest first: all, or those whose first question has the words of `text`."""
        return self._get_list(ConversationOut, "/api/conversations", {"text": text, "limit": limit})

    def conversation(self, conversation_id: str) -> ConversationDetail:
        """One conversation with its turns."""
        return self._get(ConversationDetail, f"/api/conversations/{segment(conversation_id)}")

    def delete_conversation(self, conversation_id: str) -> None:
        """Take a conversation out of one's history."""
        self._send("DELETE", f"/api/conversations/{segment(conversation_id)}")

    def give_feedback(self, query_id: str, feedback: FeedbackIn) -> None:
        """Put a verdict on record."""
        self._send("POST", f"/api/queries/{segment(query_id)}/feedback", feedback)

    def passage(self, chunk_id: str) -> CitedPassage:
        """A cited passage in its surroundings."""
        return self._get(CitedPassage, f"/api/passages/{segment(chunk_id)}")

    # documents

    def documents(self, text: str = "", source: str = "", limit: int = 25, offset: int = 0) -> LibraryOut:
        """A page of the library."""
        return self._get(
            LibraryOut, "/api/documents", {"text": text, "source": source, "limit": limit, "offset": offset}
        )

    def document(self, document_id: str) -> DocumentDetail:
        """A document with its pages and passages."""
        return self._get(DocumentDetail, f"/api/documents/{segment(document_id)}")

    def changes(self, document_id: str, older: str, newer: str) -> ChangesOut:
        """What one version of a document changed of another."""
        return self._get(ChangesOut, f"/api/documents/{segment(document_id)}/changes", {"older": older, "newer": newer})

    # asking for access

    def access_terms(self) -> TermsOut:
        """The levels there are, and whom to ask for access."""
        return self._get(TermsOut, "/api/access/terms")

    def ask_for_access(self, wanted: AccessRequestIn) -> None:
        """Ask for access."""
        self._send("POST", "/api/access/requests", wanted)

    def my_access_requests(self) -> list[AccessRequestOut]:
        """What one asked for oneself."""
        return self._get_list(AccessRequestOut, "/api/access/requests/mine")

    # one's own account

    def account(self) -> AccountOut:
        """What one is in, and where that came from."""
        return self._get(AccountOut, "/api/account")

    def tokens(self) -> list[TokenInfo]:
        """One's own tokens."""
        return self._get_list(TokenInfo, "/api/tokens")

    def issue_token(self, wanted: TokenRequest) -> IssuedToken:
        """A token of one's own, shown this once."""
        return self._post(IssuedToken, "/api/tokens", wanted)

    def revoke_token(self, token_id: str) -> None:
        """End one of one's own tokens."""
        self._send("DELETE", f"/api/tokens/{segment(token_id)}")
