"""The generated corpus: seeded, broad, true to its conventions, and apart from what was written by hand."""

import itertools
import json
import random

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from agent.bodies import find_body
from agent.goals import MAX_GOALS, REASONS, GoalProgram
from agent.language.corpus.generator import MAX_CHARACTERS, generate, in_words, mistyped, prompt
from agent.language.quantities import lift, rewrite

HUMANOID = find_body("humanoid")
# File of instructions written by hand, and how many it has to hold.
BY_HAND = {"instructions.jsonl": 200, "instructions_unseen.jsonl": 150, "instructions_third.jsonl": 100}


def written_by_hand(file: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "tests/instructions" / file).read_text().splitlines()]


@pytest.fixture(scope="module")
def corpus():
    return list(itertools.islice(generate(0), 4000))


def test_the_same_seed_makes_the_same_instructions_and_another_seed_others(corpus):
    assert list(itertools.islice(generate(0), 100)) == corpus[:100]
    assert list(itertools.islice(generate(1), 100)) != corpus[:100]


def test_it_holds_every_length_of_program_and_every_reason_to_refuse_a_text(corpus):
    assert {len(each.program.goals) for each in corpus} == set(range(MAX_GOALS + 1))
    assert {each.program.refusal for each in corpus} == {None, *REASONS} - {"nothing"}  # empty text is refused by rule


def test_every_program_has_tokens_and_is_within_reach(corpus):
    for each in corpus:
        assert GoalProgram.from_tokens(each.program.tokens) == each.program
        assert all(HUMANOID.reach(goal.velocity) <= 1 + 1e-9 for goal in each.program.goals), each


def test_no_template_leaks_into_the_text(corpus):
    for each in corpus:
        if each.category not in ("unclear", "rules"):
            assert not set("[]{}|") & set(each.text), each


def test_every_amount_of_a_simple_program_stands_in_the_text_or_is_implied(corpus):
    implied = {3, 90, 180, 360, 720, 1080, 1440}  # the defaults, and turns that have a name
    missing = []
    for each in corpus:
        for goal in each.program.goals if each.category == "single" else ():
            if goal.end and goal.end[1] not in implied and f"{goal.end[1]:g}" not in prompt(each.text):
                missing.append(each)
    assert len(missing) <= 2, missing  # a typing error may hit a unit that is converted


def test_only_the_last_goal_of_a_program_may_be_open(corpus):
    opened = [each.program.goals[-1].end is None for each in corpus if len(each.program.goals) > 1]
    assert any(opened) and not all(opened)


@given(st.integers(0, 999))
def test_numbers_in_words_are_read_back(number):
    assert rewrite(in_words(number)) == str(number)


def test_a_text_too_long_to_be_an_instruction_has_no_prompt():
    assert prompt("walk " * 500) is None
    assert prompt("walk" + " " * 5000 + "on") == "walk on"
    assert prompt("a" * MAX_CHARACTERS) is not None


@pytest.mark.parametrize("file", BY_HAND)
def test_there_are_many_instructions_written_by_hand_and_every_program_in_them_is_valid(file):
    rows = written_by_hand(file)
    assert len(rows) >= BY_HAND[file]
    for row in rows:
        assert set(row) == {"text", "program", "category"}
        program = GoalProgram.from_tokens(row["program"])
        assert all(HUMANOID.reach(goal.velocity) <= 1 + 1e-9 for goal in program.goals)
    assert {row["category"] for row in rows} >= set(REASONS)


def test_nothing_is_written_by_hand_twice():
    files = [{row["text"].strip().lower() for row in written_by_hand(file)} for file in BY_HAND]
    for one, other in itertools.combinations(files, 2):
        assert not (one & other) - {""}


def test_an_amount_that_a_typing_error_would_change_is_left_alone(corpus):
    """The program of a mistyped instruction is the one that it had."""
    for each in corpus[:300]:
        rng = random.Random(each.text)
        if each.category != "unclear":
            assert lift(prompt(mistyped(rng, each.text)), 99)[1] == lift(prompt(each.text), 99)[1]
