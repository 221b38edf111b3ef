"""QR codes as pictures within a page, drawn here: nothing of them leaves the machine."""

from __future__ import annotations

import io

import segno


def qr_code(content: str, title: str = "QR code") -> str:
    """An SVG element that a phone without network reads back, character by character."""
    drawn = io.BytesIO()
    code = segno.make(content, error="m", encoding="utf-8", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, svgclass="qr", omitsize=True, title=title)
    return drawn.getvalue().decode()
