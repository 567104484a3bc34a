"""Sentences that were written one by one, each with its program: for training, for development and for the test.

The folder written/ is also a dataset that `datasets.load_dataset` opens and TRL trains on (README.md).
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple


class Sentence(NamedTuple):
    """A sentence, and its one right program in the language of agent.language.program."""

    text: str
    program: str


HELD_OUT = ("development", "test", "visitors", "second_test")  # splits that no model is trained on


def sentences(split: str, count: int | None = None) -> list[Sentence]:
    """The sentences of a split (the name of a file in written/), or `count` of them, evenly from beginning to end."""
    lines = (Path(__file__).with_suffix("") / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    if count is not None and count < len(lines):
        lines = [lines[place * len(lines) // count] for place in range(count)]
    rows = map(json.loads, lines)
    return [Sentence(row["messages"][1]["content"], row["messages"][2]["content"]) for row in rows]


def plain(text: str) -> str:
    """A text without its case and the punctuation around it."""
    return text.lower().strip(" .!?")


@functools.cache
def held_out() -> frozenset[str]:
    """The plain texts of all sentences that no model is trained on."""
    return frozenset(plain(each.text) for split in HELD_OUT for each in sentences(split)) - {""}
