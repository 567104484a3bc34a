"""Cards: their sections, and that huggingface_hub reads them as they were meant."""

import pytest
from huggingface_hub import ModelCard

from agent.artefacts import cards, runs

PROVENANCE = {
    "command": "train.py --seed 3",
    "arguments": {"seed": 3},
    "python": "3.11",
    "libraries": {"torch": "2.13"},
    "upstream": {"dataset": "me/rollouts@0123"},
}
TEMPLATE = {"title": "A {kind}", "what": "What it is.", "use": "import agent", "results": "Well.", "limits": "Many."}


@pytest.fixture
def data():
    return cards.model_data(
        "me/model",
        {"survival": 0.98765, "mean_reward": "5 +/- 1", "yaw_error": None},
        measured_on="an env",
        tags=("ppo",),
    )


def write(folder, data, **provenance) -> str:
    """The card of a model of this provenance."""
    runs.write_json(folder / runs.PROVENANCE, PROVENANCE | provenance)
    cards.write_card(folder, TEMPLATE, data, kind="model")
    return (folder / "README.md").read_text()


def test_the_hub_reads_title_results_and_license(data, tmp_path):
    write(tmp_path, data)
    read = ModelCard.load(tmp_path / "README.md")
    assert "# A model\n" in read.text
    assert read.data.license == "apache-2.0" and read.data.model_name == "me/model" and "ppo" in read.data.tags
    results = {result.metric_type: result.metric_value for result in read.data.eval_results}
    assert results == {"survival": 0.9877, "mean_reward": "5 +/- 1"}, "what was not measured is left out"


def test_it_says_how_to_make_it_again(data, tmp_path):
    text = write(tmp_path, data)
    for part in ("python train.py --seed 3", "Seed 3; 1 process;", "torch 2.13", "- dataset: `me/rollouts@0123`"):
        assert part in text


def test_several_processes_are_part_of_how_it_was_made(data, tmp_path):
    text = write(tmp_path, data, processes=2)
    assert "accelerate launch train.py --seed 3" in text and "Seed 3; 2 processes; Python 3.11" in text


def test_a_card_needs_a_provenance_unless_its_template_says_how_to_reproduce(data, tmp_path):
    with pytest.raises(ValueError, match=r"provenance.json is missing"):
        cards.write_card(tmp_path, TEMPLATE, data, kind="model")
    cards.write_card(tmp_path, TEMPLATE | {"reproduce": "By hand."}, data, kind="model")
    assert "## Reproduce\n\nBy hand.\n\n## Limits" in (tmp_path / "README.md").read_text()


def test_a_replay_is_shown_once_it_is_there(data, tmp_path):
    assert "replay" not in write(tmp_path, data)
    cards.show_replay(tmp_path)
    assert "What it is.\n\n`replay.mp4` shows it.\n\n## Use" in (tmp_path / "README.md").read_text()


def test_results_are_read_as_they_were_written(data, tmp_path):
    assert cards.read_results(tmp_path) == {}
    write(tmp_path, data)
    assert cards.read_results(tmp_path) == {"survival": 0.9877, "mean_reward": "5 +/- 1"}


def test_a_table_has_a_head_and_a_dash_for_what_is_unknown():
    assert cards.table([["a", "b"], [0.5, None]]) == "| a | b |\n|---|---|\n| 0.500 | - |"
