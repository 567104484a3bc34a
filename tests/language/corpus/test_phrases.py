"""The tables of phrases: every template can be said, in every form that it is asked for."""

import random
import re

import pytest

from agent.language.corpus import phrases
from agent.language.corpus.generator import say

TABLES = {name: table for name, table in vars(phrases).items() if name.isupper()}


def templates(table) -> list[str]:
    """Every string in a table, however deep."""
    if isinstance(table, str):
        return [table]
    if isinstance(table, dict):
        return templates(list(table.values()))
    return [text for each in table for text in templates(each)] if isinstance(table, list | tuple) else []


SPOKEN_TABLES = [
    name for name in TABLES if name not in ("KEYS", "STRANGE", "SPOKEN", "BETWEEN", "LAST", "FINALLY", "MENDS")
]


@pytest.mark.parametrize("name", SPOKEN_TABLES)
def test_every_choice_of_a_template_closes(name):
    for text in templates(TABLES[name]):
        for form in (phrases.IMPERATIVE, phrases.GERUND, phrases.PARTICIPLE):
            assert not set("[]|") & set(say(random.Random(0), text, form)), text


@pytest.mark.parametrize("name", ["MOTIONS", "UNSIDED", "PLAIN", "FIXED_TURNS"])
def test_what_is_asked_for_in_three_forms_has_them(name):
    """walk, walking, walked. A motion without a verb, as "about face", is said in none."""
    without = []
    for text in templates(TABLES[name]):
        said = {say(random.Random(1), text, form) for form in (phrases.IMPERATIVE, phrases.GERUND, phrases.PARTICIPLE)}
        without += [text] if len(said) == 1 else []
        assert "/" not in "".join(said), text
    assert len(without) <= 4, without


@pytest.mark.parametrize(("name", "count"), [("PAIRS", 2), ("TRIPLES", 3), ("CORRECTIONS", 2)])
def test_a_template_of_several_clauses_names_each_of_them(name, count):
    for text in TABLES[name]:
        named = set(re.findall(r"\{([0-9])[gp]?\}", text))
        assert named == {*map(str, range(count))} or (name == "CORRECTIONS" and named == {"1"}), text


def test_no_phrase_stands_for_two_things():
    assert not {*phrases.PAIRS} & {*phrases.CORRECTIONS}
    assert not {*phrases.AGAIN} & {*phrases.PAIRS}
