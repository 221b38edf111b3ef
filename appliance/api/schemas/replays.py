"""What came of running a question on record again."""

from __future__ import annotations

from appliance.api.schemas.shapes import Out


class NoteOut(Out):
    """Something that is not as it was. One that `prevents` is a reason why the answer could not be made again."""

    finding: str
    words: str
    prevents: bool


class PassageThenOut(Out):
    """A passage on record, and how it stands now. `rank_now` is None when the search does not find it any more.

    `fate` is `in_force`, `superseded`, `closed`, `changed` or `erased`.
    """

    chunk_id: str
    document_id: str
    title: str
    page: int | None
    number: int | None
    rank_then: int
    rank_now: int | None
    fate: str


class PassageNowOut(Out):
    """A passage that is found now and was not then. What it says is for those who may read it.

    `title` is that of its document, empty where the officer may not see that.
    """

    chunk_id: str
    rank: int
    title: str


class PieceOut(Out):
    """Words of the answer on record (`same`, `gone`) or of the one of now (`new`, without text if they are hidden)."""

    change: str
    text: str
    words: int


class ReplayOut(Out):
    """What came of a replay. `outcome` is `reproduced`, `differs` or `impossible`.

    `prompt_now` is the hash of the prompt that was rebuilt, empty where there was none or it could not be. `pieces`
    compare the two answers when they differ.
    """

    query_id: str
    outcome: str
    notes: list[NoteOut]
    prompt_then: str
    prompt_now: str
    passages: list[PassageThenOut]
    found_now: list[PassageNowOut]
    pieces: list[PieceOut]
    is_hidden: bool
