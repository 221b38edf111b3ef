"""The rules of the review queue: which answers are drawn, making one, ending one."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.review_queue import SamplingRuleIn, SamplingRuleOut, SamplingRulesOut
from appliance.domain import Selects
from appliance.flags import WORDS
from ui import pieces
from ui.client import Client, checked
from ui.inert import Html, one_line, text

_SELECTS = {
    Selects.ALL: "All answers",
    Selects.FLAG: "Answers with a flag",
    Selects.SOURCE: "Answers that cite a source",
}
_ANY_FLAG = "Any flag"


def show(client: Client) -> None:
    """The rules in force, and a form for another one."""
    pieces.show(pieces.line("A rule acts on the answers that come after it. Making one and ending one is on record."))
    found = client.sampling_rules()
    if not found.rules:
        pieces.show(pieces.notice("There is no rule, so nothing is drawn for review.", "warn"))
    for rule in found.rules:
        with st.container(key=f"rule-{rule.id}", border=True, horizontal=True, vertical_alignment="center"):
            pieces.show(_entry(rule))
            if st.button("End", key=f"end-{rule.id}"):
                client.end_sampling_rule(rule.id)
                pieces.say_after_rerun("The rule is ended. What it drew stays in the queue.")
                st.rerun()
    _offer_another(client, found)


def _entry(rule: SamplingRuleOut) -> Html:
    since = f"since entry #{rule.since}"
    return Html(f'<div class="sr-source"><div><strong>{text(rule.words)}</strong><p>{text(since)}</p></div></div>')


def _offer_another(client: Client, found: SamplingRulesOut) -> None:
    with st.expander("Make a rule", expanded=not found.rules, key="another-rule"):
        selects = st.selectbox("Which answers", list(_SELECTS), format_func=_SELECTS.__getitem__, key="rule-selects")
        subject = ""
        if selects is Selects.FLAG:
            names = {"": _ANY_FLAG} | {name: WORDS.get(name, name).capitalize() for name in found.flags}
            subject = st.selectbox("Flag", list(names), format_func=names.__getitem__, key="rule-flag")
        elif selects is Selects.SOURCE:
            sources = {source.id: one_line(source.name) for source in found.sources}
            subject = st.selectbox("Source", list(sources), format_func=sources.__getitem__, key="rule-source") or ""
        # no least value: Streamlit would put one that is below it back to what stood there before, without a word
        share = st.number_input("Share in percent", value=100.0, step=1.0, format="%g", key="rule-share")
        if st.button("Make the rule", type="primary", key="rule-make"):
            with pieces.problems_shown():
                called = {"share_percent": "Share in percent"}
                wanted = checked(SamplingRuleIn, called, selects=selects, subject=subject, share_percent=share)
                client.make_sampling_rule(wanted)
                pieces.say_after_rerun("The rule acts from now on.")
                st.rerun()
