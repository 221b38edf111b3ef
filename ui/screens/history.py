"""One's earlier conversations: the latest beside the one on the screen, and all of them by their first question."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.asking import ConversationOut
from ui import conversation, pieces
from ui.client import Client
from ui.conversation import Conversation
from ui.inert import Html, label, text

_LATEST = 8
"""With more of them beside a conversation, nobody looks through them all."""
_FOUND = 20
_MOST = 1_000  # that the API lists
_WORDS, _SHOWN = "history-words", "strongroom_history_shown"


def show(client: Client) -> None:
    """Offer a new conversation, the latest ones, and a way to all of them."""
    if st.button("New conversation", icon=":material/add:", width="stretch", key="new-conversation"):
        conversation.put_on_screen(Conversation())
        conversation.current().asking = ""  # nothing waits in a new one
        st.rerun()
    latest = client.conversations(limit=_LATEST + 1)
    if not latest:
        return
    with st.container(key="sr-history", gap="xxsmall"):
        pieces.show(Html('<h2 class="sr-small-head">Earlier</h2>'))
        for entry in _with_the_one_on_screen(latest[:_LATEST]):
            _offer(client, entry)
        if len(latest) > _LATEST and st.button(
            "All conversations", icon=":material/search:", key="all-conversations", type="tertiary"
        ):
            st.session_state[_SHOWN] = ("", _FOUND)
            _find(client)


def _with_the_one_on_screen(latest: list[ConversationOut]) -> list[ConversationOut]:
    """The latest, with the one on the screen before them where it is an older one: it can be deleted there."""
    here = conversation.current()
    if here.id is None or not here.turns or here.id in {entry.id for entry in latest}:
        return latest
    title = here.turns[0].question
    return [ConversationOut(id=here.id, title=title, updated_at=here.turns[-1].asked_at), *latest]


def _offer(client: Client, entry: ConversationOut) -> None:
    current = "current" if entry.id == conversation.current().id else "other"
    with st.container(horizontal=True, key=f"sr-history-{current}-{entry.id}", gap="xxsmall"):
        if st.button(label(entry.title, 60), key=f"history-{entry.id}", type="tertiary", width="stretch"):
            _open(client, entry.id)
        if st.button("Delete", icon=":material/delete:", key=f"delete-{entry.id}", type="tertiary"):
            _confirm_delete(client, entry.id)


def _open(client: Client, conversation_id: str) -> None:
    conversation.open_earlier(client, conversation_id)
    st.rerun()


@st.dialog("All conversations", width="medium")
def _find(client: Client) -> None:
    with pieces.problems_shown():
        words = st.text_input("Words of the first question", key=_WORDS)
        asked, shown = st.session_state[_SHOWN]
        if words != asked:
            asked, shown = st.session_state[_SHOWN] = (words, _FOUND)
        found = client.conversations(words, min(shown + 1, _MOST))
        if not found:
            pieces.show(pieces.notice("No conversation of yours begins with a question that has all of these words."))
        for entry in found[:shown]:
            with st.container(key=f"sr-card-conversation-{entry.id}", border=True):
                pieces.show(_found(entry))
                if st.button("Open conversation", key=f"found-{entry.id}"):
                    _open(client, entry.id)
        if len(found) > shown and st.button("Show more", key="history-more"):
            st.session_state[_SHOWN] = (asked, shown + _FOUND)
            st.rerun(scope="fragment")


def _found(entry: ConversationOut) -> Html:
    return Html(
        f'<div class="sr-source"><div><strong>{text(entry.title)}</strong>'
        f"<p>{text(pieces.moment(entry.updated_at))}</p></div></div>"
    )


@st.dialog("Delete this conversation?")
def _confirm_delete(client: Client, conversation_id: str) -> None:
    pieces.show(pieces.line("It leaves your history. The query log keeps its record of what was asked and answered."))
    if st.button("Delete conversation", type="primary", key="confirm-delete"):
        with pieces.problems_shown():
            client.delete_conversation(conversation_id)
            if conversation.current().id == conversation_id:
                conversation.put_on_screen(Conversation())
            st.rerun()
