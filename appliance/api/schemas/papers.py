"""Papers that the law asks for, written from how the appliance is set up."""

from __future__ import annotations

from appliance.api.schemas.shapes import Out


class PaperOut(Out):
    """A paper in Markdown. `name` is what its file is called, without an ending."""

    name: str
    markdown: str


class PapersOut(Out):
    """Every paper."""

    papers: list[PaperOut]
