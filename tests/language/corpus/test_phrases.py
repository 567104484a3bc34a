"""The phrases: balanced templates."""

import pytest

from agent.language.corpus import phrases

NAMES = [name for name in vars(phrases) if name.isupper()]


def templates(value):
    """Every string in nested tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from templates(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from templates(each)


@pytest.mark.parametrize("name", NAMES)
def test_brackets_are_balanced(name):
    for text in templates(getattr(phrases, name)):
        depth = 0
        for character in text:
            depth += {"[": 1, "]": -1}.get(character, 0)
            assert depth >= 0, text
        assert depth == 0, text
