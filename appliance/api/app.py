"""Puts the API together: `/api` for everything, `/v1` for OpenAI clients, `/login` for people."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Mount

from appliance import __version__
from appliance.api import (
    access,
    ask,
    cases,
    checkpoints,
    compliance,
    conversations,
    directories,
    documents,
    evaluations,
    files,
    health,
    log,
    monitoring,
    namings,
    openai,
    papers,
    people,
    protection,
    replays,
    review_queue,
    reviews,
    runs,
    session,
    sources,
    upkeep,
    uploads,
)
from appliance.api.own_account import own_account_routes
from appliance.api.problems import map_errors
from appliance.api.signin import signin_routes
from appliance.wiring import Appliance

_API = (
    session.router,
    ask.router,
    conversations.router,
    documents.router,
    sources.router,
    uploads.router,
    runs.router,
    files.router,
    reviews.router,
    upkeep.router,
    evaluations.router,
    people.router,
    directories.router,
    access.router,
    health.router,
    papers.router,
    log.router,
    checkpoints.router,
    namings.router,
    compliance.router,
    protection.router,
    monitoring.router,
    review_queue.router,
    cases.router,
    replays.router,
)


def create_api(appliance: Appliance) -> FastAPI:
    """The application below `/api`."""
    return _application("Strongroom", appliance, _API)


def create_openai_api(appliance: Appliance) -> FastAPI:
    """The application below `/v1`."""
    return _application("Strongroom, OpenAI-compatible", appliance, (openai.router,))


def routes(appliance: Appliance) -> list[BaseRoute]:
    """Everything but the screens."""
    return [
        Mount("/api", create_api(appliance)),
        Mount("/v1", create_openai_api(appliance)),
        *signin_routes(appliance),
        *own_account_routes(appliance),
    ]


def _application(title: str, appliance: Appliance, routers: Sequence[APIRouter]) -> FastAPI:
    # its schema is served nowhere: it would answer strangers, and the pages that show it load from a CDN
    app = FastAPI(title=title, version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.appliance = appliance
    for router in routers:
        app.include_router(router)
    map_errors(app)
    return app
