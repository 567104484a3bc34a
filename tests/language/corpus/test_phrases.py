"""The phrases: complete tables with balanced templates."""

import re
from pathlib import Path

import yaml

from agent.language.corpus import phrases

TABLES = vars(phrases.read())


def templates(value):
    """Every string in nested tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from templates(each)
    elif isinstance(value, list):
        for each in value:
            yield from templates(each)


def test_brackets_are_balanced():
    for text in templates(list(TABLES.values())):
        depth = 0
        for character in text:
            depth += {"[": 1, "]": -1}.get(character, 0)
            assert depth >= 0, text
        assert depth == 0, text


def test_long_templates_are_joined_and_named_tables_are_filled_in():
    texts = [text for table in TABLES.values() for text in templates(table)]
    assert not [text for text in texts if "|\n" in text or re.search(r"\{[A-Z]{2,}\}", text)]
    assert any(text.endswith(f"_ {TABLES['ahead']}") for text in templates(TABLES["motions"]["walk forward"]))


def test_every_file_is_read_and_no_table_has_two_places():
    files = Path(phrases.__file__).with_suffix("").glob("*.yaml")
    names = [name for path in files for name in yaml.safe_load(path.read_text(encoding="utf-8"))]
    assert sorted(names) == sorted(TABLES)
