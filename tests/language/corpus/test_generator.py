"""Generated sentences: seeded, broad, and true to the language of programs."""

import collections
import re

import pytest

from agent.bodies import find_body
from agent.language.corpus.generator import examples
from agent.language.program import GRAMMAR, parse

HUMANOID = find_body("humanoid")


@pytest.fixture(scope="module")
def corpus():
    return examples(2000, seed=3)


def test_the_same_seed_makes_the_same_sentences_and_another_seed_others(corpus):
    assert examples(50, seed=3) == corpus[:50] and examples(50, seed=4) != corpus[:50]


def test_every_program_is_in_the_grammar_and_makes_sense(corpus):
    assert len({each.text for each in corpus}) == len(corpus)
    for each in corpus:
        assert re.fullmatch(GRAMMAR, each.program), each
        assert parse(each.program, HUMANOID).refusal != "unclear" or each.program == "refuse: unclear", each


def test_it_holds_every_length_every_motion_every_posture_and_every_refusal(corpus):
    counts = collections.Counter(len(parse(each.program, HUMANOID).goals) for each in corpus)
    assert set(counts) >= set(range(1, 8))
    programs = "; ".join(each.program for each in corpus)
    for words in (
        "stand",
        "walk forward",
        "run forward",
        "walk backward",
        "sidestep left",
        "turn right",
        "curve left",
    ):
        assert words in programs
    for words in ("go to", "go home", "face start", ", low", ", arms up", ", arms out", ", wave left", " at "):
        assert words in programs
    for words in ("2 times (", "3 times (", " between", "half of ", "twice ", "two thirds of "):
        assert words in programs
    for reason in ("body", "unclear", "rules", "limit"):
        assert f"refuse: {reason}" in programs


def test_no_template_leaks_into_the_text(corpus):
    for each in corpus:
        if not each.program.startswith("refuse"):
            assert not set("[]{}") & set(each.text), each
