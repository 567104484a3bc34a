"""The turns that teach feedback: the answers of the rule, in the grammar of their task."""

import re

from samples import write_dataset

from agent.feedback import lessons
from agent.language.feedback_turns import examples
from agent.language.planner import ASSESS, CORRECT, PROPOSE


def test_every_answer_is_in_the_grammar_of_its_task(tmp_path):
    write_dataset(tmp_path)
    turns = examples(lessons.draw(tmp_path, 60, seed=0), seed=0)
    assert {turn.task for turn in turns} == {ASSESS, CORRECT, PROPOSE}
    for turn in turns:
        assert re.fullmatch(turn.task.grammar, turn.answer), turn
        assert turn.text
