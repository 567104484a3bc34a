"""The words of the generated sentences, read from the tables in phrases/*.yaml, which phrases/README.md describes."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml


def read() -> SimpleNamespace:
    """All tables, one attribute each."""
    paths = sorted(Path(__file__).with_suffix("").glob("*.yaml"))
    tables: dict[str, Any] = yaml.safe_load("".join(path.read_text(encoding="utf-8") for path in paths))

    def completed(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{([A-Z]{2,})\}", lambda match: tables[match[1].lower()], value).replace("|\n", "|")
        if isinstance(value, dict):
            return {key: completed(each) for key, each in value.items()}
        return [completed(each) for each in value] if isinstance(value, list) else value

    return SimpleNamespace(**{name: completed(table) for name, table in tables.items()})
