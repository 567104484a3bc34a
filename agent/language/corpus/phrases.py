"""The words of the generated sentences, read from the tables in phrases/*.yaml.

A template is read by `generator.Speaker.say`: [a|b|] chooses one alternative, walk/walking/walked is a verb in its
imperative, gerund and participle, `_` is a place inside the phrase where an amount or an adverb may stand, {to} is
"left" or "to your left", {side} is "left", {clock} is "clockwise". A name in capitals stands for the table of that
name; other names in braces are filled in by the function that uses the table. An entry that occurs twice is drawn
twice as often. In the files a long template may be broken after a |.
"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

TOPICS = ("motions", "amounts", "places", "postures", "groups", "order", "corrections", "telegrams", "speakers")


def read(*topics: str) -> SimpleNamespace:
    """The tables of some topics, one attribute each."""
    paths = [Path(__file__).with_suffix("") / f"{topic}.yaml" for topic in topics]
    tables: dict[str, Any] = yaml.safe_load("".join(path.read_text(encoding="utf-8") for path in paths))

    def completed(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{([A-Z]{2,})\}", lambda match: tables[match[1].lower()], value).replace("|\n", "|")
        if isinstance(value, dict):
            return {key: completed(each) for key, each in value.items()}
        return [completed(each) for each in value] if isinstance(value, list) else value

    return SimpleNamespace(**{name: completed(table) for name, table in tables.items()})
