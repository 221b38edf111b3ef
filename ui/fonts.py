"""The fonts that Streamlit carries, for the plain pages beside the screens too, so that all look alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit

_MEDIA = Path(streamlit.__file__).parent / "static" / "static" / "media"
_NAMES = {"sans.woff2": "SourceSansVF-Upright.*.woff2", "serif.woff2": "SourceSerifVariable-Roman.*.woff2"}
"""Under which name each is served, and what it is called there."""


def font_files() -> Mapping[str, Path]:
    """Where each font is. One that Streamlit does not carry is left out: pages then show in those of the machine."""
    found = {name: next(_MEDIA.glob(pattern), None) for name, pattern in _NAMES.items()}
    return {name: path for name, path in found.items() if path is not None}
