"""A stand-in for the API: it speaks the wire types over real HTTP and keeps its state in memory.

It exists so that the screens can be tested against every shape an answer may take, hostile ones included. What the
real appliance does is tested in tests/journeys.
"""

from __future__ import annotations

import io
import itertools
import re
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from PIL import Image, ImageDraw
from pydantic import BaseModel

from appliance.api.schemas.asking import (
    AnswerOut,
    ConversationDetail,
    ConversationOut,
    FeedbackIn,
    GroundingOut,
    PassageOut,
    PassagesOut,
    PlaceOut,
    Question,
    StartedOut,
    StatementOut,
    TokenOut,
    TurnOut,
)
from appliance.api.schemas.documents import (
    ChangesOut,
    CitedPassage,
    DocumentDetail,
    DocumentOut,
    LibraryOut,
    PageOut,
    PassageTextOut,
    RelatedOut,
    VersionOut,
)
from appliance.api.schemas.log import (
    EventOut,
    EventsOut,
    FlagOut,
    InCaseOut,
    OpeningIn,
    OpeningOut,
    ProofOut,
    QueriesOut,
    QueryDetail,
    QueryOut,
    RetrievedOut,
    VerifiedOut,
)
from appliance.api.schemas.monitoring import AlarmOut, ConditionOut
from appliance.api.schemas.people import (
    HOST_COOKIE,
    AccountOut,
    AgreementIn,
    AgreementOut,
    DirectoryOut,
    Me,
    MembershipOut,
    NewPassword,
    PersonCreated,
    PersonIn,
    PersonOut,
    PersonPatch,
    TokenInfo,
)
from appliance.api.schemas.replays import NoteOut, PassageNowOut, PassageThenOut, PieceOut, ReplayOut
from appliance.api.schemas.shapes import Problem
from appliance.api.schemas.upkeep import CheckOut, HealthOut
from appliance.domain import AnswerKind, Role, Scope, TextMeans
from tests.ui import (
    access_standin,
    desk_standin,
    directory_standin,
    evaluation_standin,
    ingest_standin,
    protection_standin,
    review_standin,
)
from tests.ui.access_standin import Doorkeeper
from tests.ui.desk_standin import Desk
from tests.ui.evaluation_standin import Measuring
from tests.ui.ingest_standin import NOW, Intake, problem
from tests.ui.review_standin import ReviewDesk

POLICY = "4f1c1e0a-0000-4000-8000-000000000001"
HANDBOOK = "4f1c1e0a-0000-4000-8000-000000000002"

PEOPLE = {
    "erin": Me(
        name="erin", display_name="Underwriting desk", roles=[Role.EMPLOYEE], groups=["everyone", "underwriting"]
    ),
    "adam": Me(name="adam", display_name="Records office", roles=[Role.ADMIN, Role.EMPLOYEE], groups=["everyone"]),
    "cora": Me(name="cora", display_name="Compliance officer", roles=[Role.COMPLIANCE], groups=["everyone"]),
}

ANSWER = (
    "Records of a **terminated** treaty are kept for ten years [1].\n\n"
    "- The period starts on the day the last claim is settled [1].\n"
    "- A litigation hold suspends it [2].\n\n"
    "| Record | Years |\n|---|---|\n| Treaty wording | 10 |\n| Correspondence | 6 |\n"
)


def _place(page: int | None, label: str, *headings: str, image: bool = True) -> PlaceOut:
    return PlaceOut(page=page, label=label, headings=list(headings), has_image=image)


def passages() -> list[PassageOut]:
    """Two passages: one with a page image, one without."""
    return [
        PassageOut(
            number=1,
            chunk_id="c-1",
            document_id=POLICY,
            version_id="v-1",
            title="Records Retention Policy",
            path="policies/records-retention.pdf",
            source="Policies",
            place=_place(4, "Page 4", "3 Retention periods", "3.2 Treaties"),
            text="Records of terminated treaties are kept for ten years from the day the last claim is settled.",
            rank=1,
        ),
        PassageOut(
            number=2,
            chunk_id="c-2",
            document_id=HANDBOOK,
            version_id="v-2",
            title="Litigation Hold Handbook",
            path="handbooks/litigation-hold.docx",
            source="Handbooks",
            place=_place(None, "Section 2", "2 Effect of a hold", image=False),
            text="A hold suspends every retention period until Legal releases it in writing.",
            rank=2,
        ),
    ]


class Standin:
    """The state, and the routes that read and change it."""

    def __init__(self, answer: str = ANSWER, *, poison: str = "", token_delay_s: float = 0.0) -> None:
        """Make the state.

        Args:
            answer: What the model says to every question.
            poison: Text put into every place where a document's or a person's words travel.
            token_delay_s: How long each token takes.
        """
        self.answer = answer
        self.poison = poison
        self.token_delay_s = token_delay_s
        self.turns: dict[str, list[TurnOut]] = {}
        self.feedback: list[tuple[str, FeedbackIn]] = []
        self.fail_ask_with: Problem | None = None
        self.opening = OpeningOut(reason=f"Complaint of a customer{poison}", until=NOW)
        self.alarmed = False
        self.altered = False
        self.intake = Intake(poison)
        self.doorkeeper = Doorkeeper(poison)
        self.review_desk = ReviewDesk(poison)
        self.measuring = Measuring(poison)
        self.staff = directory_standin.Staff(poison)
        self.desk = Desk(poison)
        self.people = [
            PersonOut(
                id=f"p-{me.name}",
                name=me.name,
                display_name=me.display_name,
                roles=me.roles,
                groups=[group for group in me.groups if group != "everyone"],
                disabled=False,
                created_at=NOW - timedelta(days=90),
            )
            for me in PEOPLE.values()
        ]
        self.requests: list[tuple[str, str, Any]] = []
        self.down: set[tuple[str, str]] = set()  # what fails, by method and path
        self.gone: set[str] = set()  # what is not there any more, or not for them, by its path

    # asking

    def passages(self) -> list[PassageOut]:
        """The passages, with the poison where a document's words stand."""
        return [
            hit.model_copy(
                update={
                    "title": hit.title + self.poison,
                    "path": hit.path + self.poison,
                    "text": hit.text + self.poison,
                    "place": hit.place.model_copy(update={"headings": [*hit.place.headings, f"9{self.poison}"]}),
                }
            )
            for hit in passages()
        ]

    def ask(self, body: Question) -> Iterator[str]:
        """The events of an answer."""
        conversation, query = body.conversation_id or str(uuid.uuid4()), str(uuid.uuid4())
        searched = body.question if body.conversation_id is None else f"{body.question} (records retention)"
        yield _event("started", StartedOut(query_id=query, conversation_id=conversation, searched_for=searched))
        if self.fail_ask_with is not None:
            yield _event("error", self.fail_ask_with)
            return
        unknown, thanks = "unknown" in body.question, body.question.startswith("Thank")
        hits = [] if unknown or thanks else self.passages()
        yield _event("passages", PassagesOut(passages=hits))
        text = "The documents you may read do not answer this question." if unknown else self.answer
        for word in text.split(" "):
            time.sleep(self.token_delay_s)
            yield _event("token", TokenOut(text=word + " "))
        kind = (
            AnswerKind.ABSTAINED
            if unknown
            else AnswerKind.COURTESY
            if thanks
            else AnswerKind.EXTRACTIVE
            if "quote" in body.question
            else AnswerKind.GENERATED
        )
        answer = AnswerOut(
            query_id=query,
            conversation_id=conversation,
            text=text,
            kind=kind,
            citations=hits,
            notices=[f"One passage is from a document that has since changed.{self.poison}"],
            model="qwen3.5:9b",
            searched_for=searched if searched != body.question else "",
            grounding=self.grounding(text) if kind is AnswerKind.GENERATED else None,
            highlights=[(0, min(20, len(text)))] if kind is AnswerKind.EXTRACTIVE else [],
        )
        if body.conversation_id is None or body.conversation_id in self.turns:  # or it was deleted meanwhile
            self.turns.setdefault(conversation, []).append(
                TurnOut(
                    query_id=query,
                    question=body.question,
                    answer=text,
                    kind=kind,
                    citations=hits,
                    withheld_passages=1,
                    notices=answer.notices,
                    asked_at=NOW,
                    feedback="",
                    searched_for=answer.searched_for,
                    grounding=answer.grounding,
                    highlights=answer.highlights,
                )
            )
        yield _event("answer", answer)

    def grounding(self, text: str) -> GroundingOut:
        """A check that found the first line of an answer, and the rest not, with a number that is missing."""
        first = text.partition("\n")[0]
        found = StatementOut(
            text=first,
            start=0,
            end=len(first),
            cited=[1],
            score=0.9,
            supported=True,
            comparable=True,
            numbers_missing=[],
            missing_at=[],
        )
        rest = found.model_copy(
            update={
                "text": text[len(first) :] + self.poison,
                "start": len(first),
                "end": len(text),
                "score": 0.1,
                "supported": False,
                "numbers_missing": ["10", f"7{self.poison}"],
                "missing_at": [at.span() for at in re.finditer("10", text) if at.start() >= len(first)],
            }
        )
        return GroundingOut(score=0.5, judged=2, supported=1, statements=[found, rest])

    def conversation(self, key: str) -> ConversationDetail:
        """A conversation of the history."""
        turns = self.turns[key]
        return ConversationDetail(id=key, title=turns[0].question, updated_at=turns[-1].asked_at, turns=turns)

    # documents

    def document(self, number: int) -> DocumentOut:
        """One of the documents."""
        names = [
            "Records Retention Policy",
            "Litigation Hold Handbook",
            "Treaty Wording Standards 2026",
            "Claims Manual",
        ]
        kinds = ["application/pdf", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"]
        name = names[number % len(names)]
        return DocumentOut(
            id=POLICY if number == 0 else HANDBOOK if number == 1 else f"d-{number}",
            title=(name if number < len(names) else f"{name}, part {number}") + self.poison,
            path=f"{'policies' if number % 2 == 0 else 'handbooks'}/{name.lower().replace(' ', '-')}-{number}.pdf",
            source="Policies" if number % 2 == 0 else "Handbooks",
            media_type=kinds[number % 2],
            groups=["everyone"] if number % 2 == 0 else ["claims", "underwriting"],
            size_bytes=181_000 * (number + 1),
            updated_at=NOW - timedelta(days=3 * number),
            file_modified_at=NOW - timedelta(days=1_000 + number),
            version_id=f"v-{number}",
        )

    def document_detail(self, key: str) -> DocumentDetail:
        """A document with pages and passages."""
        found = next(doc for doc in map(self.document, range(53)) if doc.id == key)
        pages = [
            PageOut(page=1, means=TextMeans.TEXT_LAYER, characters=1830, reason=""),
            PageOut(page=2, means=TextMeans.OCR, characters=2210, reason="", confidence=0.43, unsure=True),
            PageOut(page=3, means=TextMeans.OCR, characters=940, reason="", confidence=0.95),
            PageOut(page=4, means=TextMeans.NONE, characters=0, reason=f"The page is blank.{self.poison}"),
        ]
        related = RelatedOut(
            id=HANDBOOK, title=f"Holds{self.poison}", path=f"a/b.docx{self.poison}", source="Handbooks"
        )
        parts = [
            PassageTextOut(
                chunk_id=f"c-{n}",
                number=n,
                text=f"{passages()[(n + 1) % 2].text}{self.poison}",
                place=_place(n if key == POLICY else None, f"Page {n}", "3 Retention periods", image=key == POLICY),
            )
            for n in range(1, 5)
        ]
        return DocumentDetail(
            **found.model_dump(),
            sha256="9b1f" * 16,
            indexed_at=NOW,
            pages=pages if key == POLICY else [],
            has_images=key == POLICY,
            chunk_count=2_345 if key == HANDBOOK else len(parts),
            passages=parts,
            author=f"Records office{self.poison}",
            created="2026-02-03",
            modified="2026-10-30T14:05:00Z",
            versions=self.versions(3 if key == POLICY else 1),
            copies=[related] if key == POLICY else [],
            similar=[related.model_copy(update={"resemblance": 0.87})] if key == POLICY else [],
            members=[related] if key == POLICY else [],
            thread=[related] if key == POLICY else [],
        )

    def versions(self, number: int) -> list[VersionOut]:
        """States of a document's content, newest first."""
        return [
            VersionOut(
                id=f"v-{n}",
                sha256=f"{n}b1f" * 16,
                title="Records Retention Policy",
                published_at=NOW - timedelta(days=30 * (number - n)),
                superseded_at=None if n == number else NOW - timedelta(days=30 * (number - n - 1)),
                chunk_count=10 + n,
            )
            for n in range(number, 0, -1)
        ]

    # the log

    def replay(self, key: str) -> ReplayOut:
        """Another answer than on record, of which some words are not shown; a document was removed meanwhile."""
        hit = self.passages()[0]
        return ReplayOut(
            query_id=key,
            outcome="differs",
            notes=[
                NoteOut(finding="document.erased", words=f"'{hit.title}' is not stored.{self.poison}", prevents=True)
            ],
            prompt_then="1d" * 32,
            prompt_now="1d" * 32,
            passages=[
                PassageThenOut(
                    chunk_id=f"c-{rank}",
                    document_id=hit.document_id,
                    title=f"{title}{self.poison}",
                    page=1,
                    number=rank,
                    rank_then=rank,
                    rank_now=rank_now,
                    fate=fate,
                )
                for rank, rank_now, fate, title in (
                    (1, 1, "in_force", "Same guide"),
                    (2, 4, "in_force", "Moved guide"),
                    (3, None, "erased", "Erased guide"),
                )
            ],
            found_now=[
                PassageNowOut(chunk_id="c-new", rank=1, title=""),
                PassageNowOut(chunk_id="c-named", rank=2, title=f"New handbook{self.poison}"),
            ],
            pieces=[
                PieceOut(change="same", text=f"At most{self.poison}", words=2),
                PieceOut(change="gone", text=f" 240{self.poison}", words=1),
                PieceOut(change="new", text="", words=3),
            ],
            is_hidden=True,
        )

    def flags(self) -> list[FlagOut]:
        """What was flagged of a question."""
        meaning = "The question holds an e-mail address."
        told = "It reads as if it told a language model what to do."
        return [
            FlagOut(name="personal_data.email", meaning=meaning, where="question", detail=f"once{self.poison}"),
            FlagOut(name="instructions_in_passage", meaning=told, where="passage 3", detail=self.poison),
        ]

    def queries(self) -> list[QueryOut]:
        """Queries on record."""
        every = [AnswerKind.GENERATED, AnswerKind.EXTRACTIVE, AnswerKind.ABSTAINED, None, AnswerKind.PASSAGES]
        kinds = [every[n % 5] for n in range(40)]
        return [
            QueryOut(
                seq=900 - n,
                query_id=f"q-{n}",
                asked_at=None if self.altered else NOW - timedelta(minutes=37 * n),
                person="P-7K3M9-Q2XDA",
                groups=["everyone", "underwriting"],
                origin="browser",
                conversation_id="k-1",
                question=f"How long are records of a terminated treaty kept?{self.poison}",
                answer="" if kinds[n] is None else self.answer + self.poison,
                kind=kinds[n],
                model="qwen3.5:9b",
                citations=2,
                retrieved=12,
                prompted=0 if kinds[n] in (AnswerKind.EXTRACTIVE, AnswerKind.PASSAGES) else 8,
                feedback=["", "up", "down", ""][n % 4],
                error="model_unavailable" if kinds[n] is None else "",
                total_ms=None if kinds[n] is None else 4210.0 + n,
                flags=self.flags() if n % 4 == 2 else [],
            )
            for n in range(40)
        ]


def _event(name: str, data: BaseModel) -> str:
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n"


def page_image(highlight: bool = True) -> bytes:
    """A page with lines for text, one of them marked."""
    image = Image.new("RGB", (850, 1100), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((90, 90, 460, 112), fill="#333333")
    for line in range(28):
        top = 160 + line * 30
        if highlight and 9 <= line <= 11:
            draw.rectangle((84, top - 6, 766, top + 20), fill="#ffe9a3")
        draw.rectangle((90, top, 760 - (line * 37) % 90, top + 10), fill="#8a8f8d")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def create_api(state: Standin) -> FastAPI:  # noqa: C901 - a list of routes, one after the other
    """The API under /api, speaking for `state`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    api = APIRouter(prefix="/api")

    @app.middleware("http")
    async def signed_in(request: Request, call_next: Any) -> Response:
        state.requests.append((request.method, request.url.path, dict(request.query_params)))
        if request.cookies.get(HOST_COOKIE, "") not in PEOPLE:
            return problem(401, "not_signed_in", "Sign in first.")
        if (request.method, request.url.path) in state.down:
            return problem(503, "catalog_unavailable", f"{request.url.path} does not answer. Try again later.")
        if request.url.path in state.gone:
            return problem(404, "not_found", "Not found, or not yours to see.")
        return await call_next(request)

    def me(request: Request) -> Me:
        return PEOPLE[request.cookies[HOST_COOKIE]]

    api.add_api_route("/session", me, methods=["GET"])

    @api.post("/ask", response_model=None)
    def ask(body: Question) -> StreamingResponse | JSONResponse:
        if body.conversation_id is not None and body.conversation_id not in state.turns:
            return problem(404, "not_found", "Not found, or not yours to see.")
        return StreamingResponse(state.ask(body), media_type="text/event-stream")

    @api.get("/conversations")
    def conversations(text: str = "", limit: int = 100) -> list[ConversationOut]:
        listed = [
            ConversationOut(**state.conversation(key).model_dump(exclude={"turns"})) for key in reversed(state.turns)
        ]
        return [entry for entry in listed if all(word in entry.title.lower() for word in text.lower().split())][:limit]

    @api.get("/conversations/{key}", response_model=None)
    def conversation(key: str) -> ConversationDetail | JSONResponse:
        if key not in state.turns:
            return problem(404, "not_found", "Not found, or not yours to see.")
        return state.conversation(key)

    @api.delete("/conversations/{key}", status_code=204)
    def delete(key: str) -> None:
        state.turns.pop(key)

    @api.post("/queries/{key}/feedback", status_code=204)
    def feedback(key: str, body: FeedbackIn) -> None:
        state.feedback.append((key, body))

    @api.get("/documents")
    def documents(text: str = "", source: str = "", limit: int = 25, offset: int = 0) -> LibraryOut:
        found = [doc for doc in map(state.document, range(53)) if text.lower() in doc.title.lower()]
        found = [doc for doc in found if source in ("", doc.source)]
        return LibraryOut(
            documents=found[offset : offset + limit], total=len(found), sources=["Handbooks", "Policies" + state.poison]
        )

    @api.get("/documents/{key}", response_model=None)
    def document(key: str) -> DocumentDetail | JSONResponse:
        if key not in (doc.id for doc in map(state.document, range(53))):
            return problem(404, "not_found", "Not found, or not yours to see.")
        return state.document_detail(key)

    @api.get("/documents/{key}/changes")
    def changed(key: str, older: str, newer: str) -> ChangesOut:
        return ingest_standin.changes(state.poison)

    @api.get("/documents/{key}/pages/{page}.png")
    def page(key: str, page: int) -> Response:
        return Response(page_image(highlight=False), media_type="image/png")

    @api.get("/passages/{key}")
    def passage(key: str) -> CitedPassage:
        hit = next((hit for hit in state.passages() if hit.chunk_id == key), state.passages()[0])
        return CitedPassage(
            **hit.model_dump(include={"chunk_id", "document_id", "title", "path", "source", "place", "text"}),
            before=f"The register lists every record with its owner.{state.poison}",
            after="Legal keeps the list of holds and reviews it every quarter.",
            current=key != "c-2",
        )

    @api.get("/passages/{key}/page.png")
    def marked_page(key: str) -> Response:
        return Response(page_image(), media_type="image/png")

    @api.get("/people")
    def people() -> list[PersonOut]:
        return state.people

    def new_groups(given: list[str]) -> list[str]:
        known = {group for person in state.people for group in person.groups} | {"claims", "underwriting"}
        return sorted(set(given) - known)

    @api.post("/people", status_code=201)
    def add_person(body: PersonIn) -> PersonCreated:
        given = {"given_roles": body.roles, "given_groups": body.groups}
        person = PersonOut(
            id=f"p-{body.name}", disabled=False, created_at=NOW, **body.model_dump(exclude={"password"}), **given
        )
        told = person.model_copy(update={"new_groups": new_groups(body.groups)})
        state.people.append(person)
        return PersonCreated(**told.model_dump(), password="" if body.password else "maple-anchor-violet-seven")

    @api.get("/people/agreements")
    def agreements() -> list[AgreementOut]:
        return [AgreementOut(name=f"cora{state.poison}", reason=f"A lost phone.{state.poison}", until=NOW)]

    @api.post("/people/agreements", status_code=202)
    def ask_officers(body: AgreementIn) -> None:
        """It waits; whether it was asked is told by `requests`."""

    @api.get("/directories")
    def directories() -> list[DirectoryOut]:
        return [
            DirectoryOut(
                name=f"corp{state.poison}", kind="ldap", configured=True, max_age_s=86_400.0, synced_at=NOW,
                attempted_at=NOW, problem=f"It does not answer.{state.poison}",
            )
        ]  # fmt: skip

    @api.get("/account")
    def account(request: Request) -> AccountOut:
        person = PEOPLE[request.cookies[HOST_COOKIE]]
        return AccountOut(
            name=person.name, display_name=person.display_name + state.poison, roles=person.roles, directory="",
            memberships=[MembershipOut(group=f"underwriting{state.poison}", origin=f"corp{state.poison}", counts=False)],
            heard_at=None, second_factor=True, handed_over=state.desk.handed_over,
        )  # fmt: skip

    @api.get("/tokens")
    def tokens() -> list[TokenInfo]:
        return [
            TokenInfo(
                id="t" * 64, label=f"nightly report{state.poison}", created_at=NOW, last_seen_at=NOW, expires_at=NOW,
                scopes=[Scope.ASK],
            )
        ]  # fmt: skip

    @api.patch("/people/{key}")
    def change_person(key: str, body: PersonPatch) -> PersonOut:
        changes = body.model_dump(exclude_unset=True)
        new = new_groups(body.groups or [])
        state.people = [person.model_copy(update=changes) if person.id == key else person for person in state.people]
        changed = next(person for person in state.people if person.id == key)
        return changed.model_copy(update={"new_groups": new})

    @api.post("/people/{key}/password")
    def password(key: str, body: NewPassword) -> PersonCreated:
        person = next(person for person in state.people if person.id == key)
        return PersonCreated(**person.model_dump(), password="" if body.password else "harbour-quiet-lemon-two")

    @api.get("/health")
    def health() -> HealthOut:
        return HealthOut(
            checks=[
                CheckOut(name="Catalog", status="ok", detail="1,204 documents, 31 MB.", remedy=""),
                CheckOut(name="Query log", status="ok", detail="900 entries, verified this morning.", remedy=""),
                CheckOut(
                    name="Disk space",
                    status="warning",
                    detail="9 % of the data folder's disk is free.",
                    remedy="Free space or move the data folder.",
                ),
                CheckOut(
                    name="Language model",
                    status="error",
                    detail="Ollama does not answer at 127.0.0.1:11434.",
                    remedy="Start it with `systemctl start ollama`. Until then answers quote the documents.",
                ),
            ]
        )

    @api.get("/log/openings/mine")
    def opening() -> OpeningOut:
        return state.opening

    @api.post("/log/openings", status_code=201)
    def open_log(body: OpeningIn) -> OpeningOut:
        state.opening = OpeningOut(reason=body.reason, until=NOW)
        return state.opening

    @api.get("/log/queries")
    def queries(text: str = "", kind: str = "", before: int | None = None, limit: int = 25) -> QueriesOut:
        found = [query for query in state.queries() if before is None or query.seq < before]
        found = [query for query in found if kind in ("", query.kind) and text.lower() in query.question.lower()]
        page = found[:limit]
        return QueriesOut(queries=page, next_before=page[-1].seq if len(found) > limit else None)

    @api.get("/log/queries/{key}", response_model=None)
    def query(key: str) -> QueryDetail | JSONResponse:
        found = next((query for query in state.queries() if query.query_id == key), None)
        if found is None:
            return problem(404, "not_found", "Not found, or not yours to see.")
        on_record = [
            RetrievedOut(
                chunk_id=hit.chunk_id,
                document_id=hit.document_id,
                version_id=hit.version_id,
                version_sha256="77ab" * 16,
                title=hit.title,
                path=hit.path if hit.number == 1 else "",
                page=hit.place.page,
                rank=hit.rank,
                number=hit.number if hit.number == 1 else None,
                reranking=2.5 - hit.rank,
                cited=hit.number == 1,
                readable=hit.number == 1,
            )
            for hit in state.passages()
        ]
        return QueryDetail(
            **found.model_dump(),
            model_digest="sha256:" + "5c" * 32,
            model_provider="ollama",
            quantisation="Q4_K_M",
            prompt_sha256="1d" * 32,
            prompt_template="answer-3",
            parameters={"temperature": "0.0", "seed": "0", "num_ctx": "8192"},
            answer_sha256="e0" * 32,
            latency_ms={"retrieval": 31.2, "first_token": 812.0, "total": 4210.0},
            notices=["One passage is from a document that has since changed."],
            passages=on_record,
            feedback_comment="The table misses the third row." if found.feedback == "down" else "",
            proof=ProofOut(
                leaf_hash="ab" * 32,
                path=["cd" * 32, "ef" * 32],
                size=900,
                root="c4" * 32,
                signed="strongroom/query-log\n900\nxMTExA==\n\n\u2014 strongroom/query-log wH8x\n",
            ),
            searched_for=found.question,
            reranker_digest="8f" * 32,
            answerable=0.1694,
            answerable_above=0.17,
            grounding=state.grounding(found.answer) if found.kind is AnswerKind.GENERATED else None,
            highlights=[(0, 20)] if found.kind is AnswerKind.EXTRACTIVE else [],
            rewriting="",
            cases=[InCaseOut(number=3, title=f"Salaries seen{state.poison}")],
        )

    @api.post("/log/queries/{key}/replay")
    def replay(key: str) -> ReplayOut:
        return state.replay(key)

    @api.get("/log/events")
    def events(before: int | None = None, limit: int = 50) -> EventsOut:
        kinds = ["session.started", "log.read", "person.changed", "source.synced"]
        listed = [
            EventOut(
                seq=n,
                time=None if state.altered else NOW - timedelta(minutes=n),
                type=kinds[n % 4],
                words=f"What {kinds[n % 4]} says{state.poison}",
                actor="P-4QW8T-M2E6A",
                detail=f"From 10.0.4.{n}.{state.poison}",
            )
            for n in itertools.islice(itertools.count(899, -1), 120)
            if before is None or n < before
        ]
        page = listed[:limit]
        return EventsOut(events=page, next_before=page[-1].seq if len(listed) > limit else None)

    @api.post("/log/verify")
    def verify() -> VerifiedOut:
        return VerifiedOut(
            ok=True,
            size=900,
            root="c4" * 32,
            first_bad=None,
            message="Every entry is where it was written and reads as it was written.",
            checked_at=NOW,
        )

    @api.get("/log/condition")
    def condition() -> ConditionOut:
        alarms = [
            AlarmOut(
                name="log.stopped", title="Nothing is recorded", since=NOW, told=f"The disk is full.{state.poison}"
            )
        ]
        return ConditionOut(alarms=alarms if state.alarmed or state.poison else [], verified=verify(), verify_at_hour=3)

    @api.get("/log/export")
    def export() -> PlainTextResponse:
        return PlainTextResponse('{"seq": 1}\n', headers={"Content-Disposition": 'attachment; filename="log.jsonl"'})

    @api.get("/reviews/{key}/pages/{page}.png")
    def page_in_question(key: str, page: int) -> Response:
        return Response(page_image(highlight=False), media_type="image/png")

    ingest_standin.add_routes(api, state.intake)
    evaluation_standin.add_routes(api, state.measuring)
    directory_standin.add_routes(api, state.staff)
    api.include_router(access_standin.routes(state.doorkeeper))
    api.include_router(protection_standin.routes(state.poison))
    api.include_router(review_standin.routes(state.review_desk))
    api.include_router(desk_standin.routes(state.desk))
    app.include_router(api)
    return app
