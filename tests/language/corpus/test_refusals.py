"""What is to be refused: each kind is drawn, and none of it reads as a program."""

import re

from agent.language.corpus.generator import examples
from agent.language.program import GRAMMAR


def test_a_refused_sentence_is_refused_whatever_else_stands_in_it():
    refused = [each for each in examples(1500, seed=8) if each.program.startswith("refuse")]
    assert 0.08 < len(refused) / 1500 < 0.2
    assert len({each.text for each in refused}) == len(refused)


def test_a_program_that_a_user_types_is_not_taught_as_an_attack():
    for each in examples(1500, seed=9):
        if each.program == "refuse: rules" and re.fullmatch(GRAMMAR, each.text):
            assert each.text.startswith("refuse"), each
