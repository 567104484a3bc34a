"""The written sentences: every program in the grammar, and nothing in two splits."""

import re

import pytest

from agent.bodies import find_body
from agent.language.corpus import written
from agent.language.planner import READ
from agent.language.program import GRAMMAR, parse

HUMANOID = find_body("humanoid")
COUNTS = {"train": 6600, "development": 200, "test": 200, "visitors": 238, "second_test": 205}


@pytest.mark.parametrize("split", COUNTS)
def test_every_sentence_has_a_program_in_the_grammar(split):
    rows = written.sentences(split)
    assert len(rows) >= COUNTS[split] and len({each.text for each in rows}) == len(rows)
    for each in rows:
        assert re.fullmatch(GRAMMAR, each.program), each
        program = parse(each.program, HUMANOID)
        assert program.refusal in (None, "limit") or each.program.startswith("refuse"), each


def test_no_sentence_of_the_test_or_development_set_is_trained_on():
    assert written.held_out().isdisjoint(written.plain(each.text) for each in written.sentences("train"))


def test_the_published_messages_ask_as_the_planner_asks():
    path = written.Path(written.__file__).with_suffix("") / "test.jsonl"
    for row in map(written.json.loads, path.read_text().splitlines()):
        assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
        assert row["messages"][0]["content"] == READ.system
