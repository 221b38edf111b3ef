"""A page of Streamlit with nothing but labels of hostile texts, and of what Streamlit makes something else of."""

from __future__ import annotations

import streamlit as st

from tests.ui.payloads import PAYLOADS
from ui.inert import label, one_line

_LIMIT = 300
_WRITTEN = (
    "It costs $5 -- or $6 -> see a@b.test: www.b.test",
    "# big **bold** $x^2$ and $$y$$ [a](http://b.test) `code` ~~s~~ ==m== H~2~O &amp; \\$x\\$",
    "'; DROP TABLE users; --",
    ":smile: :material/home: :red[hot] :red-badge[x] :small[x] :rainbow[x] :streamlit: :+1: \\:smile: &#x3a;smile:",
    "-> <- <-> >= <= ~= -- WWW.b.test wWw.b.test x@b.test mailto:a@b.test https://b.test ftp://b.test",
    "a -- b -> c <- d <-> e >= f <= g ~= h",
)
LABELS = [line for line in (one_line(words, _LIMIT) for words in (*_WRITTEN, *PAYLOADS)) if line]
"""What is to be read on the page, in its order."""

if __name__ == "__main__":
    for number, words in enumerate(LABELS):
        st.button(label(words, _LIMIT), key=f"label-{number}")
