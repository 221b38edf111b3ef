"""Where sentences end, and which dots end none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.answering.sentence_ends import sentence_ends
from tests.growth import assert_linear


def cut(text: str) -> list[str]:
    ends = [0, *sentence_ends(text, 0, len(text)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    "text",
    [
        "Mary N. Dillon has led the company since 2013.",
        "The work of J. R. R. Tolkien belongs to the estate.",
        "It was audited by Dr. Meier, Messrs. Smith and St. James Ltd. Partners.",
        "See Fig. 3, No. 12, Sec. 4 and pp. 5 to 7, e.g. Table II of vol. IV.",
        "Section 4.2. Notice of Termination is 2.5 Months, as of Jan. 5, in the U.S. Treasury.",
        "Das gilt z. B. Mitarbeitenden i. S. v. Art. 5 Abs. 2 lit. a DSG und Ziff. 3.",
        "Am 3. Mai zahlt Hr. Prof. Müller ca. 3 Mio. Franken, vgl. Nr. 12 bzw. Anhang.",
        "Bis ins 19. Jahrhundert, im 2. Stock, ab dem 1. Januar und nach jeder 3. Mahnung gilt der 15. Mai, nicht Montag der 4. Juni.",
        "Nach Ihrem 5. Dienstjahr haben Sie 30 Ferientage, nach vollendetem 50. Altersjahr 35.",
        "In unserem 2. Stock wird Anna im laufenden 3. Quartal 2. Vorsitzende, gemäss 3. Kapitel und mit 3. Säule.",
        "Section 4. Notice of termination is given in writing.",
        "1. Apply for access to the room 2. Wait for approval by the guard 3. Enter the room",
        "M. Dupont, p. ex. Mme. Durand, selon l'art. 12 al. 3, env. 30 jours, chap. IV du code de C. G. Jung.",
        "Il sig. Rossi e la dott.ssa Bianchi, art. 3 cpv. 2, ad es. Roma, pag. 12.",
        "El Sr. Gómez y la Dra. Ruiz, p. ej. Madrid, núm. 5, pág. 3, EE. UU. México.",
    ],
)
def test_the_dot_of_an_initial_an_abbreviation_or_a_number_ends_nothing(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The answer is no. We left.", ["The answer is no.", "We left."]),
        ("It is art. The rest is not. Is it? Yes! So.", ["It is art.", "The rest is not.", "Is it?", "Yes!", "So."]),
        (
            "It grew in 2019. Then it fell to 1,250. It ended.",
            ["It grew in 2019.", "Then it fell to 1,250.", "It ended."],
        ),
        ("The key hangs in locker 17. Boats are hired.", ["The key hangs in locker 17.", "Boats are hired."]),
        ("Les dossiers sont dans la salle 12. Ils restent.", ["Les dossiers sont dans la salle 12.", "Ils restent."]),
        ("Das gilt ab sofort. Über Ausnahmen …", ["Das gilt ab sofort.", "Über Ausnahmen …"]),
        ("So ist es. Das genügt.", ["So ist es.", "Das genügt."]),
        ("You don't. They can’t. We do.", ["You don't.", "They can’t.", "We do."]),
        ('"It is so." [1][2] It ends.', ['"It is so." [1][2]', "It ends."]),
        ("C'est fini. À demain.", ["C'est fini.", "À demain."]),
    ],
)
def test_a_sentence_ends_before_what_can_begin_one(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


@given(st.text(alphabet="aB. 1[]é!?\n", max_size=80))
def test_nothing_is_lost_and_ends_come_in_order(text: str) -> None:
    ends = list(sentence_ends(text, 0, len(text)))
    assert ends == sorted(set(ends)) and all(0 < end <= len(text) for end in ends)


def test_it_takes_time_linear_in_the_length() -> None:
    assert_linear(lambda text: list(sentence_ends(text, 0, len(text))), "z. B. Art. 5 N. ".__mul__, 4_000)
