"""Health, the index against the catalog, and a change of the embedding model."""

from __future__ import annotations

from typing import Literal

from appliance.api.schemas.shapes import Out


class ModelChangeOut(Out):
    """How far the change to another embedding model is, in passages. `error` is why it waits, empty if it does not.

    `replaces` answers now. When it is `model_id` itself, the index before is left to be removed.
    """

    model_id: str
    replaces: str
    done: int
    total: int
    error: str


class DifferenceOut(Out):
    """Where index and catalog differ: versions only the index knows, and versions it does not hold whole."""

    surplus: int
    incomplete: int
    repaired: bool


class CheckOut(Out):
    """One thing `doctor` looked at. `remedy` says what to do when it is not well."""

    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    remedy: str


class HealthOut(Out):
    """How the parts are."""

    checks: list[CheckOut]
