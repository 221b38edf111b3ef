"""Finds text that talks to a language model instead of to people, as a planted passage does. Pure.

Rules this module keeps:

1. A text is searched with a rule only if it holds one of the rule's cues, so that ordinary text costs next to nothing.
2. A finding is the rule's own name. Nothing of the text is repeated.
3. These are rules for what is written plainly, in English, German, French, Italian and Spanish. Who wants to avoid them
   can: what a planted passage may do is bounded elsewhere (no tools, no network, citations from the search alone).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_TAGS = re.compile("[\U000e0020-\U000e007f]{4}")  # letters that nobody sees and models read


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    cues: tuple[str, ...]
    pattern: re.Pattern[str]


def _rule(name: str, cues: str, *patterns: str) -> _Rule:
    return _Rule(name, tuple(cues.split(";")), re.compile("|".join(patterns)))


_GIVEN = r"(?:instructions?|prompts?|rules|guidelines|directives?|directions|commands|system message)"
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|original|initial|system|safety|given|all|any|your|these|my)"
)
_MODEL = r"(?:assistant|ai|language model|chatbot|bot|llm|dan)"
_QUOTE = r"(?:[\"“„«:]|(?<=\s)')"

TELLS_WHAT_TO_ANSWER = "tells the model what to answer"
"""The rule for a text that says how an answer is to read, as the question of somebody who wants a form does too."""

_RULES = (
    _rule(
        "asks to set aside what was asked before",
        "ignor;disregard;forget;overrid;bypass;missacht;vergiss;vergessen sie;übergeh;oubli;néglige;"
        "dimentica;tralascia;olvid;omit",
        rf"\b(?:ignore|disregard|forget|override|bypass|omit)"
        rf"\b(?:\W+\w+){{0,3}}?\W+{_BEFORE}\W+(?:\w+\W+){{0,4}}?{_GIVEN}\b",
        r"\b(?:ignore|disregard|override)\b[^.]{0,60}(?:\band|[.;,]) (?:just |only |instead )?"
        r"(?:print|output|report|say|write|focus (?:only|exclusively))\b",
        r"(?:^|[.!?:;>#*] )(?:please )?(?:ignore|disregard) (?:all |any |the |other )*"
        r"(?:instructions|directions|info|information except)\b",
        r"\b(?:forget|disregard|ignore) (?:everything|all|anything)\b.{0,30}\b(?:above|before|told|said|learned)\b",
        r"\b(?:ignorieren?|missachten?|übergehen?)\b(?: sie)?\b.{0,40}"
        r"\b(?:anweisung|instruktion|vorgabe|befehl|prompt)\w*",
        r"\b(?:vergiss|vergessen sie)\b.{0,40}\b(?:anweisung|instruktion|vorgabe|befehl|prompt|alles)\w*",
        r"\b(?:ignore[zr]?|oublie[zr]?|négligez)\b.{0,10}\b(?:les|tes|vos|mes|ces)\b.{0,30}"
        r"\b(?:instructions?|consignes?|directives)\b",
        r"\b(?:ignor[aio]|ignorare|ignorate|dimentica|tralascia)\b.{0,40}"
        r"\b(?:istruzion[ei]|direttive|indicazioni|prompt)\b",
        r"\b(?:ignor[ae]n?|olvid[ae]n?|omit[ae]n?)\b.{0,40}"
        r"\b(?:instrucci[oó]n(?:es)?|indicaciones|directrices|prompt)\b",
    ),
    _rule(
        "gives the model another role",
        "you are now;from now on;act as;pretend;roleplay;role-play;developer mode;dan mode;du bist;sie sind ;tu es ;"
        "vous êtes;ora sei;sei ora;d'ora in poi;ahora eres;to the ai;for the ai;to ai ;for ai ;"
        "language model;sprachmodell;ki-assistent;automated ;to humans;ai assistant;ai model;chatbot;llm",
        rf"\byou are now\b.{{0,40}}\b(?:{_MODEL}|unrestricted|unfiltered|in developer mode)\b",
        r"\bfrom now on,? you (?:are|will|must|shall|answer|respond|reply|act)\b",
        rf"\b(?:pretend|act as if|roleplay|role-play)\b.{{0,20}}\b(?:you are|you're|to be)\b.{{0,40}}"
        rf"\b(?:{_MODEL}|unrestricted)\b",
        rf"\bact as (?:an? )?(?:\w+ ){{0,2}}{_MODEL}\b",
        r"\b(?:developer|dan) mode\b.{0,20}\b(?:enabled|activated|on)\b",
        r"\b(?:du bist|sie sind) (?:jetzt|nun|ab jetzt|ab sofort)\b.{0,40}"
        r"\b(?:assistent|assistenz|ki|sprachmodell|chatbot)\w*",
        r"\b(?:tu es|vous êtes) (?:maintenant|désormais)\b.{0,40}\b(?:assistant|ia|modèle de langage|chatbot)\b",
        r"\b(?:ora sei|sei ora|d'ora in poi sei)\b.{0,40}\b(?:assistente|ia|modello linguistico|chatbot)\b",
        r"\bahora eres\b.{0,40}\b(?:asistente|ia|modelo de lenguaje|chatbot)\b",
        r"\b(?:note to|for) (?:any |all )?automated (?:\w+ )?(?:software|systems?|tools?|screening(?: systems)?)\b *:",
        r"\b(?:invisible|hidden|not visible) (?:to|from|for) humans\b",
        rf"\b(?:dear|note to|attention|message to|instructions? (?:for|to)|hinweis an|anweisung(?:en)? (?:an|für))"
        rf"(?: the| any| all| das| die| den| every)?(?: \w+)? (?:{_MODEL}|sprachmodell|ki-assistent|ki)\w{{0,3}}\b"
        r" *[:,!.]",
    ),
    _rule(
        "is marked up like a prompt",
        "<|;[inst];[/inst];<<sys;### instruction;### system;<system>;</system>;[system];system prompt;"
        "systemprompt;system: ;begin system;<start_of_turn>;"
        "<instruction;user: ;human: ;[admin;end of session",
        r"<\|(?:im_(?:start|end|sep)|system|user|assistant|start_header_id|eot_id|endoftext)\|>",
        r"\[/?inst\]|<</?sys>>|<start_of_turn>|###\s*(?:instruction|system)s?\s*:|</?system>|\[system\]|</?instructions?>",
        r"(?:^|[.!?>\]\"] )assistant: .{0,200}\b(?:user|human): |\[admin request\b|<end of session>",
        r"(?:^|[>.] )(?:user|human): (?:next|now|thanks|please|ignore)\b.{0,40}\b(?:repeat|print|say|ignore|thanks)\b",
        r"\b(?:reveal|print|repeat|output|leak|tell me|verrate|zeigen? sie|gib|affiche[rz]?|mostra|muestra|revela)\b"
        r".{0,30}\bsystem ?prompt\b",
        r"(?:^|[.!?>#*\]] )system: (?:you|focus|ignore|the assistant|do not|always|new)\b",
        r"\bbegin system (?:prompt|message)\b",
    ),
    _rule(
        TELLS_WHAT_TO_ANSWER,
        "if questioned;answer ;respond ;reply ;say ;say:;output ;tell the user;the user;antwort;sage ;sagen sie;répond;"
        "rispond;contesta;responda",
        rf"\b(?:always|only|must|instead|simply) (?:answer|respond|reply|say|output)\b.{{0,10}}{_QUOTE}",
        r"\b(?:answer|respond|reply) (?:only |always |instead )?with\b.{0,12}[\"“„«]",
        r"\b(?:answer|respond|reply) with (?:only|just|exactly|nothing but) the following\b",
        r"\bif (?:the )?(?:user (?:asks|wants)|asked|questioned)\b[^.]{0,60}"
        r"\b(?:report|say|state|reply|respond|answer) (?:that|with)\b",
        r"\btell the user (?:that|to)\b",
        rf"\b(?:if|when) (?:the user asks|you are asked|asked about|anyone asks)\b.{{0,60}}"
        rf"\b(?:answer|respond|reply|say)\b.{{0,20}}{_QUOTE}",
        r"\bdo not (?:answer|respond to|mention|reveal|tell|disclose)\b.{0,30}"
        r"\b(?:the user|this instruction|these instructions|this prompt)\b",
        rf"\b(?:antworte|antworten sie|sage|sagen sie) (?:immer|nur|stets|ausschließlich|stattdessen)\b"
        rf".{{0,20}}{_QUOTE}",
        rf"\brépond(?:s|ez) (?:toujours|seulement|uniquement)\b.{{0,20}}{_QUOTE}",
        rf"\brispond(?:i|ete|a) (?:sempre|solo|soltanto|unicamente)\b.{{0,20}}{_QUOTE}",
        rf"\b(?:responde|responda|contesta) (?:siempre|solo|sólo|únicamente)\b.{{0,20}}{_QUOTE}",
    ),
    _rule(
        "asks to carry something out",
        "![;append;embed;encode;exfiltrat;send the;transmit;chat history",
        r"!\[[^\]]{0,200}\]\(\s*https?://[^)\s]{0,200}[?=][^)]{0,80}[\[{<]",
        r"\b(?:append|embed|encode|include|insert|send|transmit|exfiltrate)\b.{0,60}"
        r"\b(?:conversation|chat history|previous messages|user'?s? (?:data|question|input))\b.{0,80}"
        r"(?:https?://|\burl\b|\blink\b|\bimage\b)",
    ),
)
_HIDDEN = "holds letters that nobody sees"


def told_to_models(untrusted_text: str) -> tuple[str, ...]:
    """By which rules a text reads as if it told a language model what to do; empty for ordinary text."""
    text = _plain(untrusted_text)
    found = [rule.name for rule in _RULES if any(cue in text for cue in rule.cues) and rule.pattern.search(text)]
    return (*found, *([_HIDDEN] if not untrusted_text.isascii() and _TAGS.search(untrusted_text) else []))


def _plain(text: str) -> str:
    """A text in lower case, in one line, without invisible characters between its letters."""
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).replace("’", "'")
    return " ".join(text.lower().split())
