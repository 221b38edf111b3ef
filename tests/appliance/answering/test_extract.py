"""Answers without a language model: quotations, word for word, of the sentences nearest to the question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.answering.citations import MarkerGate
from appliance.answering.extract import extract, for_others, quotations
from appliance.domain import Citation, Place
from appliance.index.port import Vector
from appliance.inference.port import Vectors
from tests.data.builders import ToyEmbedder, make_passages
from tests.growth import assert_linear

QUESTION = "How long is parental leave?"
HOTELS = "What is the hotel limit in Geneva?"


class Contrarian(ToyEmbedder):
    """Finds every text far from every question: all cosines are negative."""

    def embed_query(self, text: str) -> Vector:
        vector: Vector = -super().embed_query(text)
        return vector

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return numpy.stack([-self.embed_query(text) for text in texts])


def quote(*texts: str, question: str = QUESTION) -> str:
    return extract(question, make_passages(*texts), ToyEmbedder()).text


def test_the_nearest_sentence_is_quoted_with_its_neighbours_and_its_number() -> None:
    assert quote("Ask early. Parental leave is sixteen weeks long. It is paid.") == (
        "“Ask early. Parental leave is sixteen weeks long. It is paid.” [1]"
    )


def test_the_nearest_sentence_of_each_quotation_is_known() -> None:
    passages = make_passages(
        "Ask early [4]. Parental leave is long [2]. It is paid.", "How long is parental leave? See [7]."
    )
    quotations = extract(QUESTION, passages, ToyEmbedder())
    assert [quotations.text[start:end] for start, end in quotations.highlights] == [
        "Parental leave is long (2).",
        "How long is parental leave?",
    ]


def test_a_sentence_is_not_cut_at_an_initial() -> None:
    filler = "The canteen opens at noon on every day of the week. " * 8
    passages = make_passages(f"{filler}Who leads parental leave is Mary N. Dillon of Art. 5 fame. {filler}")
    quotations = extract("Who leads parental leave?", passages, ToyEmbedder())
    ((start, end),) = quotations.highlights
    assert quotations.text[start:end] == "Who leads parental leave is Mary N. Dillon of Art. 5 fame."


def test_a_sentence_of_wrapped_prose_is_marked_across_the_end_of_its_line() -> None:
    [quoted] = quotations(
        "How many visitors does one accompany in clean rooms?",
        make_passages(
            "Visitors are always accompanied. How many one accompanies is six visitors at most, in\n"
            "clean rooms two at most.\n4. Photographs\nNone are taken."
        ),
        ToyEmbedder(),
    )
    assert quoted.nearest == "How many one accompanies is six visitors at most, in clean rooms two at most."
    assert quoted.after == "\n4. Photographs\nNone are taken.”"


def test_what_is_left_out_before_and_after_is_marked() -> None:
    filler = "The canteen opens at noon on every day of the week. " * 8
    text = quote(f"{filler}Parental leave is sixteen weeks long. {filler}")
    assert text.startswith("“… The canteen")
    assert text.endswith("week. …” [1]")
    assert "Parental leave is sixteen weeks long." in text
    assert len(text) < 520


def test_rows_of_a_table_stand_on_lines_of_their_own() -> None:
    assert quote("Leave | Weeks\nParental leave | 16\nOther | 2") == (
        "“\nLeave | Weeks\nParental leave | 16\nOther | 2\n” [1]"
    )
    assert quote("Weeks of leave.\nLeave | Weeks\nParental leave | 16\nAsk early.") == (
        "“Weeks of leave.\nLeave | Weeks\nParental leave | 16\nAsk early.” [1]"
    )


def test_a_row_is_never_cut_at_a_dot_or_a_colon() -> None:
    passages = make_passages("Leave | Weeks\nParental leave: Art. 16. Yes | How long: 16")
    ((start, end),) = extract(QUESTION, passages, ToyEmbedder()).highlights
    assert extract(QUESTION, passages, ToyEmbedder()).text[start:end] == "Parental leave: Art. 16. Yes | How long: 16"


def test_a_row_far_down_in_a_table_is_quoted_with_the_row_that_names_the_columns() -> None:
    rows = [f"Desk {number} | {'x' * 60} | {number}" for number in range(20)]
    table = ["Kind | Text | Weeks", *rows[:9], "Long ones:", *rows[9:], "Parental leave | how long | 16", *rows]
    text = quote("\n".join(["Caption", *table]))
    assert text.startswith("“…\nKind | Text | Weeks\n…\nDesk")
    assert "\nParental leave | how long | 16\n" in text
    assert text.endswith("\n…” [1]")
    assert len(text) < 520
    assert quote("\n".join(table[:1] + table[-21:])).startswith("“\nKind | Text | Weeks\nParental leave")
    assert len(quote("\n".join([f"Kind | {'x' * 5_000}", *table[1:]]))) < 520  # a head that fits in no quotation


def test_the_head_of_a_table_counts_as_said_in_each_of_its_rows() -> None:
    text = "Read each fault code aloud.\nFault code | Meaning\nE-117 | Pressure\nE-133 | Current"
    [quoted] = quotations("Which meaning has fault code E-133?", make_passages(text), ToyEmbedder())
    assert (quoted.nearest, quoted.is_near) == ("E-133 | Current", True)


def test_a_heading_is_never_what_is_marked_while_anything_stands_below_it() -> None:
    table = "4. Hotels\nThe amounts are per night.\nCity | Rate\nBerlin | 150\nGeneva | 230\nVienna | 155"
    [passage] = make_passages(table)
    chunk = replace(passage.hit.chunk, place=Place(headings=("Travel", "4. Hotels")))
    under_heading = replace(passage, hit=replace(passage.hit, chunk=chunk))
    quotations = extract("Which rate have hotels in Geneva?", [under_heading], ToyEmbedder())
    ((start, end),) = quotations.highlights
    assert quotations.text[start:end] == "Geneva | 230"
    assert quotations.text.startswith("“4. Hotels\n")


def test_a_heading_alone_is_quoted() -> None:
    [passage] = make_passages("# Hotels")
    chunk = replace(passage.hit.chunk, place=Place(headings=("Hotels",)))
    quotations = extract("Hotels?", [replace(passage, hit=replace(passage.hit, chunk=chunk))], ToyEmbedder())
    assert quotations.text == "“# Hotels” [1]"


def test_a_word_of_the_question_decides_between_rows_that_are_alike() -> None:
    rows = "\n".join(f"Post {number}{number}: {'x' * 200}" for number in range(9))
    for number in (2, 7):
        assert f"Post {number}{number}:" in quote(rows, question=f"Which {'x' * 200} has number {number}{number}?")


@pytest.mark.parametrize("question", ["How long is leave?", "Wie lange dauert leave?", "¿Cuánto dura leave?"])
def test_where_a_number_is_asked_for_the_part_with_one_comes_first(question: str) -> None:
    [quoted] = quotations(question, make_passages("Leave matters much. Leave lasts 16 weeks."), ToyEmbedder())
    assert quoted.nearest == "Leave lasts 16 weeks."


@pytest.mark.parametrize("beside", ["1. Check the helium pressure.", "Helium pressure of the HP-40."])
def test_a_number_that_counts_items_or_names_a_thing_is_none_that_is_asked_for(beside: str) -> None:
    asked = "Helium fills it with 3 bar."
    assert nearest("How much helium pressure does it need?", "", f"{beside}\n{asked}") == [asked]


@pytest.mark.parametrize("dated", ["31. Dezember ist der letzte Abgabetag.", "3. Jan. ist der letzte Abgabetag."])
def test_a_day_that_opens_a_line_counts_no_items(dated: str) -> None:
    beside = "Der letzte Abgabetag ist wichtig."
    assert nearest("Wann ist der letzte Abgabetag?", "", f"{beside}\n{dated}") == [dated]


def test_the_head_of_a_table_is_never_what_is_marked_while_rows_stand_below_it() -> None:
    table = "Parental leave | how long | 2025\nLeave | paid | 16\nOther | no | 2"
    [quoted] = quotations(QUESTION, make_passages(table), ToyEmbedder())
    assert quoted.nearest == "Leave | paid | 16"
    [alone] = quotations(QUESTION, make_passages("Parental leave | how long | 2025"), ToyEmbedder())
    assert alone.nearest == "Parental leave | how long | 2025"
    [figures] = quotations(QUESTION, make_passages("Parental leave | how long | 16\nOther | no | 2"), ToyEmbedder())
    assert figures.nearest == "Parental leave | how long | 16"


def test_what_is_not_near_to_the_question_is_quoted_without_a_mark() -> None:
    far = extract("Which allowance is paid for the night shift?", make_passages("Advances are paid."), ToyEmbedder())
    assert far.text == "“Advances are paid.” [1]"
    assert far.highlights == ()
    both = extract(QUESTION, make_passages("How long is parental leave?", "Long parental leave is."), ToyEmbedder())
    assert "[2]" in both.text
    assert len(both.highlights) == 2
    row = make_passages("Highest rates per night\nCity | Rate\nGeneva | 230\nVienna | 155")
    named = extract("What does a night in Geneva come to?", row, ToyEmbedder())
    assert [named.text[start:end] for start, end in named.highlights] == ["Geneva | 230"]
    assert not extract("Is there maternity leave in Geneva?", row, ToyEmbedder()).highlights
    year = extract("Which allowances are planned in 2026?", make_passages("Logs of 2026 are kept."), ToyEmbedder())
    assert year.highlights == ()


def test_what_is_near_is_not_marked_beside_what_is_much_nearer() -> None:
    near = "Parental leave at the office by the lake is long."
    alone, beside = make_passages(near), make_passages("Parental leave is long.", near)
    [quoted] = quotations(QUESTION, alone, ToyEmbedder())
    assert quoted.is_near
    nearest, less = quotations(QUESTION, beside, ToyEmbedder())
    assert (nearest.is_near, less.nearest, less.is_near) == (True, near, False)


def marks(question: str, *passages: Citation) -> list[str]:
    found = extract(question, passages, ToyEmbedder())
    return [found.text[start:end] for start, end in found.highlights]


def test_a_caption_or_a_subtitle_is_not_marked_but_what_stands_below_it() -> None:
    table = "Staff rooms and their lockers, by floor\nRoom | Floor | Lockers\nRhine room | 2 | 14\nAare room | 3 | 20"
    assert marks("How many lockers stand on the floor of the staff rooms?", *make_passages(table)) == []
    assert marks("How many lockers has the Aare room?", *make_passages(table)) == ["Aare room | 3 | 20"]
    text = "Boiler B9\nManual of the boiler and its burner\n1. Use\nThe boiler heats the workshop."
    [passage] = make_passages(text)
    place = Place(headings=("Boiler B9",), later=((text.index("1. Use"), ("Boiler B9", "1. Use")),))
    passage = replace(passage, hit=replace(passage.hit, chunk=replace(passage.hit.chunk, place=place)))
    assert marks("What is the boiler?", passage) == ["The boiler heats the workshop."]


@pytest.mark.parametrize(
    "caption",
    ["| Figure 2: Sales of kayaks by region", "Fig. 2. Sales of kayaks by region.", "Abb. 2 – Sales of kayaks"],
)
def test_the_caption_of_a_figure_is_not_marked(caption: str) -> None:
    labels = f"North | South | East\n{caption}"
    for text in (labels, caption):
        assert marks("How did the sales of kayaks go by region?", *make_passages(text)) == []
    told = "Figure 2 shows the sales of kayaks by region."
    assert marks("How did the sales of kayaks go by region?", *make_passages(told)) == [told]


@pytest.mark.parametrize(
    "said",
    [
        "Table 1. In Geneva the limit of hotels is 230 francs.",
        "Tab 2. Enter the limit of hotels in Geneva",
        "Tab. 2. Limit of hotels in Geneva. Book early.",
    ],
)
def test_a_sentence_that_follows_the_number_of_a_table_is_marked(said: str) -> None:
    found = marks("What is the limit of hotels in Geneva?", *make_passages(f"{said}\nEat at noon."))
    assert found
    assert "Geneva" in found[0]


def test_a_line_above_a_table_is_marked_if_it_is_a_sentence() -> None:
    text = "Lockers stand on each floor of the staff rooms.\nRoom | Floor\nRhine room | 2"
    assert marks("Where do the lockers of the staff rooms stand?", *make_passages(text)) == [text.split("\n")[0]]


def test_a_row_with_the_name_of_a_question_comes_before_a_sentence_without_it() -> None:
    table = "A daily allowance is paid for each day.\nCountry | Rate\nAustria | 48\nNew York | 62"
    assert marks("What is the daily allowance for a day in Austria?", *make_passages(table)) == ["Austria | 48"]
    assert marks("What is the daily allowance for a day in New York?", *make_passages(table)) == ["New York | 62"]
    sentence = "A daily allowance is paid for each day."
    assert marks("What daily allowance is paid?", *make_passages(table)) == [sentence]
    for other in ("Austria pays a daily allowance for each day.", "A daily allowance for each day is 9 in Austria."):
        named = table.replace(sentence, other)
        assert marks("What is the daily allowance for a day in Austria?", *make_passages(named)) == [other]
    assert marks("How long is maternity leave in Austria?", *make_passages(table)) == []  # which the row does not tell


@pytest.mark.parametrize(
    "line", ["Prices of ceramic parts", "# Prices of ceramic parts", "Subject: Prices of ceramic parts"]
)
def test_the_title_of_a_document_is_not_marked_where_it_stands_in_it_but_what_is_below(line: str) -> None:
    [passage] = make_passages(f"{line}\nThe prices of ceramic parts rise by 5 percent.")
    passage = replace(passage, hit=replace(passage.hit, title="Prices of ceramic parts"))
    assert marks("Prices of ceramic parts?", passage) == ["The prices of ceramic parts rise by 5 percent."]


def test_the_head_of_a_table_may_name_a_plan_of_a_year() -> None:
    table = "Item | Budget 2026 | Plan 2027\nRevenue | 90 | 97\nMaterial | 38 | 41"
    assert marks("What is the budget 2026?", *make_passages(table)) == []
    assert marks("What is the budget of material in 2026?", *make_passages(table)) == ["Material | 38 | 41"]


def test_a_row_is_not_marked_for_the_words_of_the_columns_alone() -> None:
    table = "Meeting room | Number of seats\nRhine | 12\nAare | 40"
    assert marks("Which meeting room has the greatest number of seats?", *make_passages(table)) == []
    assert marks("What number of seats has the meeting room Aare?", *make_passages(table)) == ["Aare | 40"]


def test_neither_a_number_nor_the_measure_alone_makes_a_sentence_near() -> None:
    said = "Advances are paid for journeys of more than 5 days."
    assert marks("How many days of holiday do I get?", *make_passages(said)) == []
    assert marks("For journeys of how many days are advances paid?", *make_passages(said)) == [said]


OTHERS = "Place | Hours\nGeneva | 8\n"


def rows_for_others(text: str) -> int:
    passages = make_passages(text)
    return len(for_others("How many hours in Geneva? And in Paris?", "And in Paris?", passages))


@pytest.mark.parametrize(
    "cell",
    [
        "Others",
        "All other places",
        "Everywhere else",
        "Elsewhere in Europe",
        "Rest",
        "The rest",
        "Rest of the world",
        "Rest der Welt",
        "Reste du monde",
        "Resto d'Europa",
        "Remaining",
        "All remaining places",
        "Übrige Orte",
    ],
)
def test_a_row_for_others_is_found(cell: str) -> None:
    assert rows_for_others(f"{OTHERS}{cell} | 24") == 1


@pytest.mark.parametrize(
    "cell",
    [
        "Rest rooms",
        "Rest period in Bern",
        "Restaurant",
        "Remaining time",
        "Other information",
        "Weitere Informationen",
        "Other Genevas",
    ],
)
def test_what_only_begins_like_a_row_for_others_is_none(cell: str) -> None:
    assert rows_for_others(f"{OTHERS}{cell} | 24") == 0


@pytest.mark.parametrize("cell", ["Bern", "Other places"])
def test_the_time_to_find_a_row_for_others_grows_with_the_table_and_no_faster(cell: str) -> None:
    assert_linear(rows_for_others, lambda size: "Place | Hours\n" + f"{cell} | 24\n" * size, 1_200)


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the hotel limit in Paris?", 1),
        ("Hotel limit in Paris?", 1),  # which may be German or not
        ("Was kostet ein Hotel in Paris?", 1),
        ("What is the hotel limit in Geneva?", 0),
        ("What is the limit of the canteen in Paris?", 0),  # in a table about something else
        ("What was the hotel limit in 2019?", 0),
        ("What is the hotel limit for GDP?", 0),
        ("Quelle est la limite de l'hotel à Paris ?", 1),
        ("Quelle est la limite de l'hotel à New York ?", 1),
        ("¿Cuál es el límite del hotel en París?", 1),
        ("Qual è il limite per un hotel a Parigi?", 1),  # where "a" is no article
        ("What is the hotel limit in Marketing?", 0),  # which is no city either
        ("Wie hoch ist die Limite für ein Hotel in Marketing?", 0),
        ("What is the hotel limit for Directors?", 0),  # who are no city
        ("Hotel limit for a Director?", 0),
        ("What did Fabrikam pay for a hotel?", 0),
        ("What did Fabrikam pay for a hotel in Paris?", 0),
        ("Who is Anna Meier's hotel manager?", 0),
        ("Can I book a hotel through Airbnb?", 0),
        ("Who is head of Marketing in a hotel?", 0),
        ("Welche Limite gilt für ein Hotel in Einzelzimmern?", 0),
        ("Welche Limite gilt für ein Hotel in Bern oder in Luzern?", 1),
    ],
)
def test_a_question_by_itself_is_shown_the_row_for_others_of_a_table_about_what_it_asks(
    question: str, rows: int
) -> None:
    table = "Each hotel\nCity | Maximum\nGeneva | 230\nOther cities | 120"
    assert len(for_others(question, "", make_passages(table, "The canteen of Oslo."))) == rows
    assert not for_others(question, "", make_passages("A hotel in Oslo.", table))  # which is not the nearest


def test_what_has_no_row_of_its_kind_is_not_shown_that_of_another_table() -> None:
    meals = "Meal | Place\nCountry | Rate\nAustria | 48\nDenmark | 72"
    hotels = "Hotel and meal\nCity | Rate\nGeneva | 230\nOther cities | 120"
    question = "What is the rate for a meal in Austria?"
    for passages in (make_passages(meals, hotels), make_passages(hotels, meals)):
        assert not for_others(f"{question} And in Norway?", "And in Norway?", passages)
    nowhere = question.replace("Austria", "Norway")
    assert for_others(f"{nowhere} And in Paris?", "And in Paris?", make_passages(hotels, meals))


def test_the_time_to_cut_a_passage_grows_with_its_dots_and_no_faster() -> None:
    def work(size: int) -> object:
        return extract(QUESTION, make_passages(f"{'.' * size}x\nRoom | Floor"), ToyEmbedder())

    assert_linear(work, int, 20_000)


def test_the_words_of_asking_do_not_make_what_is_asked_about_count_for_less() -> None:
    said = "Herons fish alone."
    assert marks("How often, when and for how long might herons fish?", *make_passages(said)) == [said]


def test_a_label_is_marked_together_with_what_it_says_something_about() -> None:
    text = "Bicycles: 84 places next to the mill. On the last day we counted bicycles on all floors: 17 in hall 2."
    assert marks("Where are the places for bicycles?", *make_passages(text)) == [
        "Bicycles: 84 places next to the mill."
    ]
    assert (
        "we counted bicycles on all floors:" in marks("On which floors were bicycles counted?", *make_passages(text))[0]
    )


def test_a_name_that_most_passages_hold_tells_nothing_without_another_word_of_the_question() -> None:
    passages = make_passages(
        "To Halden, supplier of ours.", "Halden builds sensors.", "We of Halden stay.", "Nobody is meant."
    )
    assert extract("What does the share of Halden cost today?", passages, ToyEmbedder()).highlights == ()
    named = extract("Who builds what for whom at Halden?", passages, ToyEmbedder())
    assert [named.text[start:end] for start, end in named.highlights] == ["Halden builds sensors."]
    few = extract("What does the share of Halden cost today?", passages[:2], ToyEmbedder())
    assert few.highlights


def test_what_is_far_is_not_quoted_beside_what_holds_a_name_of_the_question_unless_it_holds_one() -> None:
    question = "Which rate does Geneva have?"
    row, far = "City | Rate\nGeneva | 230\nVienna | 155", "A monthly rate."
    assert "[2]" not in quote(row, far, question=question)
    assert "[2]" in quote(row, f"{far}\nWhich rate Geneva has.", question=question)
    assert "[2]" in quote(row, far, question="Which rate does it have?")


def test_a_name_alone_does_not_mark_what_a_follow_up_does_not_ask_for() -> None:
    hotels = make_passages("Hotels and their limit\nCity | Rate\nGeneva | 230\nBerlin | 150", "In Berlin it rains.")
    about = {"Who may fly business class with colleagues to Geneva?": [], HOTELS: ["Berlin | 150"]}
    for before, marked in about.items():
        found = extract(f"{before} And in Berlin?", hotels, ToyEmbedder(), follow_up="And in Berlin?")
        assert [found.text[start:end] for start, end in found.highlights] == marked


def test_what_names_less_of_the_question_is_not_marked_beside_a_document_that_names_more() -> None:
    question = "Which margin has the Acme plant of Reno by rule 12?"
    asked, other = "The Acme plant of Reno has a margin.", "Which margin the Acme plant has."
    assert marks(question, *make_passages(asked)) == [asked]
    assert marks(question, *make_passages(other)) == [other]
    assert marks(question, *make_passages(asked, other)) == [asked]
    with_rule, another = f"{other}\nRule 12 says so.", f"{other}\nRule 13 says so."
    assert marks(question, *make_passages(another, with_rule)) == [other]
    assert marks(question, *make_passages(other, other)) == [other, other]
    both = make_passages(asked, other)
    of_one = [replace(it, hit=replace(it.hit, chunk=replace(it.hit.chunk, document_id="d"))) for it in both]
    assert marks(question, *of_one) == [asked, other]


def nearest(question: str, follow_up: str, *texts: str) -> list[str]:
    passages = make_passages(*texts)
    found = quotations(f"{question} {follow_up}", passages, ToyEmbedder(), follow_up=follow_up)
    return [quotation.nearest for quotation in found]


def test_the_row_that_holds_the_name_of_a_follow_up_wins_over_the_answer_to_the_question_before() -> None:
    table = "Rates of hotels.\nGeneva | hotel limit 230\nVienna | 155"
    assert nearest(HOTELS, "And in Vienna?", table) == ["Vienna | 155"]
    assert nearest(HOTELS, "", table) == ["Geneva | hotel limit 230"]


def test_a_passage_far_down_that_holds_the_name_of_a_follow_up_is_quoted_and_the_others_are_not() -> None:
    others = [f"The hotel limit in Geneva is {number}." for number in range(230, 234)]
    assert nearest(HOTELS, "And in Vienna?", *others, "In Vienna it is 155.") == ["In Vienna it is 155."]


def test_what_stands_under_a_heading_or_the_head_of_a_table_has_the_name_in_it() -> None:
    [passage] = make_passages("Vienna\nThe hotel limit is 155.\nGeneva\nThe hotel limit is 230.")
    place = Place(headings=("Vienna",), later=((31, ("Geneva",)),))
    under = replace(passage, hit=replace(passage.hit, chunk=replace(passage.hit.chunk, place=place)))
    for city, limit in (("Vienna", "155"), ("Geneva", "230")):
        question = f"What is the hotel limit in Bern? And in {city}?"
        [quoted] = quotations(question, [under], ToyEmbedder(), follow_up=f"And in {city}?")
        assert quoted.nearest == f"The hotel limit is {limit}."
    old, new = "EUR thousand | 2023\nNet profit | 5,829", "EUR thousand | 2025\nNet profit | 6,970"
    assert nearest("What was the net profit in 2025?", "And in 2023?", new, old) == ["Net profit | 5,829"]


@pytest.mark.parametrize(
    ("follow_up", "marked"),
    [
        ("And the hotel limit in paris?", []),
        ("And the highest rate in paris?", []),
        ("And the hotel limit in vienna?", ["Vienna | 155"]),
        ("And the highest rate?", ["London | 215"]),
        ("And the highest rate with breakfast?", ["London | 215"]),
    ],
)
def test_the_row_of_the_question_before_is_not_marked_for_what_stands_nowhere(
    follow_up: str, marked: list[str]
) -> None:
    question = f"What is the hotel limit in London? {follow_up}"
    rows = "Hotel limit with breakfast\nCity | Highest rate\nLondon | 215\nVienna | 155"
    found = extract(question, make_passages(rows, "The limit is 4,000 a month."), ToyEmbedder(), follow_up=follow_up)
    assert [found.text[start:end] for start, end in found.highlights] == marked
    alone = extract("What is the hotel limit in London?", make_passages(rows), ToyEmbedder())
    assert [alone.text[start:end] for start, end in alone.highlights] == ["London | 215"]


def test_the_words_of_a_german_follow_up_decide_though_they_name_nothing() -> None:
    question = "Wie viele Tage Urlaub haben Mitarbeitende?"
    texts = "Mitarbeitende haben 25 Tage Urlaub. Auszubildende haben 27 Tage."
    assert nearest(question, "Und für Auszubildende?", texts) == ["Auszubildende haben 27 Tage."]


def test_nothing_is_marked_if_no_passage_has_a_word_of_the_follow_up() -> None:
    question, passages = "Wie lange dauert die Probezeit?", make_passages("Die Probezeit dauert lange.")
    assert extract(question, passages, ToyEmbedder()).highlights
    together = f"{question} Und in Paris?"
    assert not extract(together, passages, ToyEmbedder(), follow_up="Und in Paris?").highlights


def test_what_has_no_word_of_a_follow_up_is_not_marked_however_near_it_is_to_the_question_before() -> None:
    question, follow_up = "How long is the password of a service account?", "What about users?"
    rows = "Account | How long\nService account | password of 32\nEmployee | 14"
    found = extract(f"{question} {follow_up}", make_passages(rows), ToyEmbedder(), follow_up=follow_up)
    assert found.text
    assert found.highlights == ()
    known = make_passages(f"{rows}\nOther users | 10")
    found = extract(f"{question} {follow_up}", known, ToyEmbedder(), follow_up=follow_up)
    assert [found.text[start:end] for start, end in found.highlights] == ["Other users | 10"]
    short = extract(f"{question} How so?", make_passages(rows), ToyEmbedder(), follow_up="How so?")
    assert short.highlights  # it says nothing of its own


@pytest.mark.parametrize(
    ("follow_up", "heading", "said"),
    [
        ("And in Vienna?", "Vienna", "The hotel limit is 230 francs."),
        ("And in Geneva?", "Geneva", "The hotel limit is 230 francs."),
        ("And for trainees?", "Geneva", "Geneva"),  # nothing is marked: where what is quoted begins
    ],
)
def test_it_is_known_where_a_quotation_stands_also_when_the_passage_says_it_twice(
    follow_up: str, heading: str, said: str
) -> None:
    text = "Geneva\nThe hotel limit is 230 francs.\n\n  Vienna\nBook. The hotel limit is 230 francs.\nIt was raised."
    [passage] = make_passages(text)
    place = Place(headings=("Geneva",), later=((text.index("  Vienna"), ("Vienna",)),))
    passage = replace(passage, hit=replace(passage.hit, chunk=replace(passage.hit.chunk, place=place)))
    question = f"What is the hotel limit in Geneva? {follow_up}"
    ((number, at),) = extract(question, [passage], ToyEmbedder(), follow_up=follow_up).quoted_at
    assert (number, place.headings_at(at)) == (1, (heading,))
    assert text[at:].startswith(said)


def test_a_quotation_without_a_mark_stands_where_the_head_of_its_table_does() -> None:
    table = "\n".join(f"Row of many words that fill this table {number} | {number}" for number in range(40))
    text = f"Note.\nKind of thing | How long\n{table}\nParental leave | 16"
    found = extract("How long is parental leave in Paris?", make_passages(text), ToyEmbedder())
    assert found.highlights == ()
    assert "Parental leave | 16" in found.text
    ((_, at),) = found.quoted_at
    assert text[at:].startswith("Kind of thing")


def test_a_later_heading_of_a_passage_is_not_marked() -> None:
    text = "Leave\nIt is short.\nHow long is parental leave?\nIt lasts sixteen weeks."
    [passage] = make_passages(text)
    place = Place(headings=("Leave",), later=((text.index("How"), ("How long is parental leave?",)),))
    passage = replace(passage, hit=replace(passage.hit, chunk=replace(passage.hit.chunk, place=place)))
    [quoted] = quotations(QUESTION, [passage], ToyEmbedder())
    assert quoted.nearest != "How long is parental leave?"


def test_passages_are_quoted_in_their_rank_and_those_with_nothing_near_left_out() -> None:
    text = quote("How long is parental leave?", "Parking costs ten francs.", "How long parental leave is.")
    assert text.split("\n\n") == ["“How long is parental leave?” [1]", "“How long parental leave is.” [3]"]


def test_only_the_best_three_passages_are_quoted() -> None:
    assert re.findall(r"\[(\d)\]", quote(*["Parental leave is long."] * 5)) == ["1", "2", "3"]


def test_a_mere_number_marks_nothing() -> None:
    text = "7. Parking\nThere are 7 places behind the hall."
    for question, marks in (("7", 0), ("7 places", 1)):
        shown = extract(question, make_passages(text), ToyEmbedder())
        assert "7 places" in shown.text
        assert len(shown.highlights) == marks


def test_no_passage_or_no_text_gives_no_quotation() -> None:
    assert quote() == ""
    assert quote("", " \n ") == ""


def test_something_is_quoted_even_when_everything_is_far_from_the_question() -> None:
    """The words of a question may match where its meaning, as the model sees it, does not."""
    text = extract(QUESTION, make_passages("Parental leave is sixteen weeks long."), Contrarian()).text
    assert text == "“Parental leave is sixteen weeks long.” [1]"


def test_a_very_long_sentence_is_cut_between_words_and_says_so() -> None:
    text = quote("parental leave " * 200)
    assert text.startswith("“parental leave parental")
    assert text.endswith("leave …” [1]")
    assert len(text) < 520
    assert "… …" not in quote("parental leave " * 200 + "is long. Ask.")


def test_a_documents_own_references_are_not_taken_for_citations() -> None:
    passages = make_passages("Parental leave is long [2], see [7].", "How long is parental leave?")
    text = extract(QUESTION, passages[:1], ToyEmbedder()).text
    assert text == "“Parental leave is long (2), see (7).” [1]"
    gate = MarkerGate(passages)
    assert gate.feed(text) + gate.finish() == text
    assert [citation.number for citation in gate.citations] == [1]


sentences = st.lists(
    st.sampled_from(
        [
            "Leave is long.",
            "Dogs bark!",
            "How so?",
            "z. B. Parental",
            "a\tb",
            "\n",
            "»Zitat«.",
            "1.5 days;",
            "\nLeave | 5\n",
        ]
    ),
    max_size=8,
).map(" ".join)


@settings(deadline=None)
@given(st.lists(sentences, max_size=4))
def test_every_quoted_piece_stands_in_its_passage_word_for_word(texts: list[str]) -> None:
    passages = make_passages(*texts)
    for line in filter(None, extract(QUESTION, passages, ToyEmbedder()).text.split("\n\n")):
        match = re.fullmatch(r"(?s)“(.*)” \[(\d+)\]", line)
        assert match
        source = " ".join(passages[int(match[2]) - 1].hit.chunk.text.split())
        for piece in match[1].split("…"):
            assert " ".join(piece.split()) in source


SIDE_BY_SIDE = (
    "Hotels and their limit\nCity | Limit | City | Limit\nGeneva | 230 | Vienna | 155\nBern | 150 | Oslo | 195"
)


@pytest.mark.parametrize(
    ("question", "follow_up", "marked"),
    [
        (HOTELS, "", "Geneva | 230"),
        ("What is the hotel limit in Vienna?", "", "Vienna | 155"),
        ("what is the hotel limit in oslo", "", "Oslo | 195"),
        (f"{HOTELS} And in Vienna?", "And in Vienna?", "Vienna | 155"),
        ("What is the hotel limit in Geneva and in Vienna?", "", "Geneva | 230 | Vienna | 155"),
    ],
)
def test_of_two_tables_side_by_side_that_is_marked_which_is_asked_for(
    question: str, follow_up: str, marked: str
) -> None:
    made = extract(question, make_passages(SIDE_BY_SIDE), ToyEmbedder(), follow_up=follow_up)
    assert [made.text[start:end] for start, end in made.highlights] == [marked]
    assert "Geneva | 230 | Vienna | 155" in made.text


@pytest.mark.parametrize("head", ["Limit | Limit | Limit | Limit", "Limit |  | Limit | "])
def test_a_row_is_marked_whole_below_a_head_that_does_not_tell_its_columns_apart(head: str) -> None:
    row = "Geneva | 230 | 2024 | CHF"
    assert marks(HOTELS, *make_passages(f"Hotels and their limit\n{head}\n{row}\nBern | 150 | 2024 | CHF")) == [row]


def test_a_follow_up_that_names_nothing_is_not_answered_by_a_document_that_does_not_hold_what_was_named_before() -> (
    None
):
    follow_up = "And who approves it?"
    plan, hotels = "The area manager approves the limit.", "The hotel limit in Geneva is 230."

    def marks_of(*texts: str, said: str = follow_up) -> list[str]:
        made = extract(f"{HOTELS} {said}", make_passages(*texts), ToyEmbedder(), follow_up=said)
        return [made.text[start:end] for start, end in made.highlights]

    assert marks_of(plan) == [plan]  # Geneva stands nowhere
    assert marks_of(plan, hotels) == []
    assert marks_of(plan, f"{hotels} The head of Geneva approves it.") == ["The head of Geneva approves it."]


@pytest.mark.parametrize("label", ["401k:", "Hotel limit:"])
def test_a_label_on_a_line_of_its_own_is_not_marked(label: str) -> None:
    made = extract(
        label.strip(":"), make_passages(f"Rail comes first.\n{label}\nIt is run by Fabrikam."), ToyEmbedder()
    )
    assert label in made.text
    assert label not in [made.text[start:end] for start, end in made.highlights]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Geneva:\nThe hotel limit is CHF 230\nVienna:\nThe hotel limit is EUR 155", "The hotel limit is CHF 230"),
        ("The hotel limit in Geneva is CHF 230\nVienna:\nIt is EUR 155", "The hotel limit in Geneva is CHF 230"),
    ],
)
def test_a_label_below_a_line_does_not_make_it_a_caption(text: str, marked: str) -> None:
    assert marks("What is the hotel limit in Geneva?", *make_passages(text))[0] == marked
