"""What at the end of a question tells only how the answer is to look. Pure.

"What is the date of the contract? Format the date as YYYY-MM-DD." The second sentence stands in no document: it takes
the question away from every passage.

Rules this module keeps:

1. Whole sentences only, at the end, in English, German, French, Italian and Spanish: an order to answer, write or
   round, in a form that is one of a short list (sentences, a list, millions, a language).
2. In doubt a sentence belongs to the question: one that asks, that says what else to tell, or that names another form.
3. Something always stays.
"""

from __future__ import annotations

import re

from appliance.answering.asides import FORMAT, LANGUAGE
from appliance.answering.sentences import has_words

_LONGEST = 300
_FORM = (
    r"(?:sentences?|words?|paragraphs?|bullet points?|bullets|lists?|tables?|formats?|decimals?|decimal places?|digits"
    r"|integers?|percents?|percentages?|thousands?|millions?|billions?|yes or no|whole numbers?"
    r"|(?:alphabetical|chronological|ascending|descend(?:ing)?) order"
    r"|satz|sätzen|worten|stichworten|stichpunkten|absatz|liste|tabelle|nachkommastellen?|prozent|tausend|millionen"
    r"|milliarden|phrases?|mots|paragraphe|listes?|tableau|décimales?|pourcentage|milliers|milliards"
    r"|fras[ei]|parole|paragrafo|elenco|lista|tabella|formato|decimali|percentuale|migliaia|milioni|miliardi"
    r"|oración|oraciones|palabras|párrafo|tabla|decimales|porcentaje|miles|millones"
    r"|inglese|francese|tedesco|italiano|inglés|francés|alemán|español|italien|espagnol"
    rf"|{LANGUAGE}|{FORMAT}|[ymdjtag]{{2,4}}(?:[-./][ymdjtag]{{2,4}})+)(?: (?:terms?|form|format|values?|style))?\b"
)
_AS = r"(?:as|in|into|to|with|like|using|als|im|auf|mit|en|sous|avec|à|au|come|sotto|con|como|a|al|nel)"
_IN_A_FORM = rf"{_AS} (?:[^\s?,;]+ ){{0,3}}{_FORM}"
_ANSWER = (
    r"(?:answers?|results?|response|it|them|date|number|value|amount|figure|antwort|ergebnis|datum|zahl|betrag|réponse"
    r"|résultat|montant|risposta|risultato|data|importo|respuesta|resultado|fecha|importe)"
)
_ORDER = (
    r"(?:(?:format|round|express|formatiere|formatieren sie|runde|runden sie|formatez|arrondis|arrondissez|formatta"
    rf"|arrotonda|formatea|redondea|redondee) (?:[^\s?,;]+ ){{0,5}}?{_IN_A_FORM}"
    r"|(?:answer|respond|reply|antworte|antworten sie|beantworte die frage|réponds|répondez|rispondi|risponda|responde"
    rf"|responda|contesta|conteste) (?:[^\s?,;]+ ){{0,2}}?{_IN_A_FORM}"
    r"|(?:write|give|return|state|present|provide|show|list|put|schreibe?|schreiben sie|gib|geben sie|nenne|nennen sie"
    r"|donne|donnez|écris|écrivez|dai|dammi|scrivi|fornisci|da|dame|escribe|escriba)"
    rf" (?:[^\s?,;]+ ){{0,3}}?{_ANSWER} {_IN_A_FORM}"
    rf"|(?:give|return)(?: me)? an? (?:[^\s?,;]+ ){{0,2}}?{_FORM}"
    r"|in (?:einem satz|(?:ganzen|kurzen) sätzen|stichworten|stichpunkten) (?:be)?antworten"
    rf"|(?:the|your)(?: final)? answers? (?:shall|should|must|has to|needs to) be (?:[^\s?,;]+ ){{0,4}}?{_FORM})"
)
_EXAMPLE = (
    r"(?:for example|e\.g\.|i\.e\.|like|such as|zum beispiel|z\. ?b\.|par exemple|ad esempio|per esempio|por ejemplo)"
)
_PLEASE = r"(?:please|bitte|s['’]il (?:vous|te) plaît|per favore|por favor)"
_OF_THE_FORM = re.compile(
    rf"(?:{_PLEASE},? )?{_ORDER}(?:,? (?:and |und |et |e |y )?(?:round(?:ed)? )?{_IN_A_FORM})?(?: an)?"
    rf"(?:,? ?{_EXAMPLE}[^?]*)?(?:,? {_PLEASE})?[^\w?]*",
    re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(r"(?<=[.?!])(?:\s+(?=[^\W\d_])|(?=[A-ZÀ-ÖØ-Þ]))|\n+")


def without_form(question: str) -> str:
    """A question without the sentences at its end that tell how the answer is to look; itself where there are none."""
    end = len(question)
    for found in reversed(list(_NEXT_SENTENCE.finditer(question))):
        last = question[found.end() : end].strip()
        if last and not _is_of_the_form(last):
            break
        if not has_words(question[: found.start()]):
            break
        end = found.start() if last else end
    return question if end == len(question) else question[:end].rstrip()


def _is_of_the_form(sentence: str) -> bool:
    return len(sentence) <= _LONGEST and _OF_THE_FORM.fullmatch(" ".join(sentence.split())) is not None
