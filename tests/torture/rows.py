"""The table of faults."""

from pathlib import Path

from torture import Row, Tally, bodies, files, kills, words

ROWS = {
    "kill": Row("SIGKILL at any moment, in every stage", "checks of kills and of what came of them", kills.kill),
    "interrupt": Row(
        "SIGINT, SIGTERM, and a second one", "checks of signals and of what came of them", kills.interrupt
    ),
    "no_room": Row("no room, no right to write, no such place", "runs", files.no_room),
    "damage": Row("a bit or the end of a file: weights, shards, YAML, JSON, tokenizer", "damaged files", files.damage),
    "others": Row("resumed with other arguments, sizes, versions; two runs in a folder", "runs", files.others),
    "datasets": Row("odd episodes, empty datasets, shards that are gone", "datasets", files.datasets),
    "not_numbers": Row("NaN and infinity in observations, actions, rewards, gradients", "values", bodies.not_numbers),
    "physics": Row("physics that raises or diverges", "faults", bodies.physics),
    "life": Row("100,000 goals of all kinds in 10 hours of simulated time", "prompts", bodies.life),
    "instructions": Row("hostile and absurd instructions", "texts and actions", words.instructions),
    "arguments": Row("any argument of any script, by flag or YAML", "inputs", words.arguments),
}


def run(name: str, home: Path, full: bool) -> Tally:
    """Try the row, with files in the folder `home`, which other rows may use too."""
    tally = Tally(full)
    ROWS[name].run(tally, home)
    return tally
