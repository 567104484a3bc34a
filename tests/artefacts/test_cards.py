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


@pytest.fixture
def card():
    data = cards.model_data(
        "me/model",
        {"survival": 0.98765, "mean_reward": "5 +/- 1", "yaw_error": None},
        measured_on="an env",
        tags=("ppo",),
    )
    return cards.Card(data, "A model", "What it is.", "import agent", "Well.", "Many.")


def test_the_hub_reads_title_results_and_license(card, tmp_path):
    cards.write_card(tmp_path, card, PROVENANCE)
    read = ModelCard.load(tmp_path / "README.md")
    assert read.data.license == "apache-2.0" and read.data.model_name == "me/model" and "ppo" in read.data.tags
    results = {result.metric_type: result.metric_value for result in read.data.eval_results}
    assert results == {"survival": 0.9877, "mean_reward": "5 +/- 1"}, "what was not measured is left out"


def test_it_says_how_to_make_it_again(card, tmp_path):
    cards.write_card(tmp_path, card, PROVENANCE)
    text = (tmp_path / "README.md").read_text()
    for part in ("python train.py --seed 3", "Seed 3; 1 process;", "torch 2.13", "- dataset: `me/rollouts@0123`"):
        assert part in text


def test_several_processes_are_part_of_how_it_was_made(card, tmp_path):
    cards.write_card(tmp_path, card, PROVENANCE | {"processes": 2})
    text = (tmp_path / "README.md").read_text()
    assert "accelerate launch train.py --seed 3" in text and "Seed 3; 2 processes; Python 3.11" in text


def test_a_replay_is_shown_once_it_is_there(card, tmp_path):
    cards.write_card(tmp_path, card, {})
    assert "replay" not in (tmp_path / "README.md").read_text()
    cards.show_replay(tmp_path)
    assert "What it is.\n\n`replay.mp4` shows it.\n\n## Use" in (tmp_path / "README.md").read_text()


def test_results_are_read_as_they_were_written(card, tmp_path):
    assert cards.read_results(tmp_path) == {}
    cards.write_card(tmp_path, card, {})
    assert cards.read_results(tmp_path) == {"survival": 0.9877, "mean_reward": "5 +/- 1"}


def test_a_table_has_a_head_and_a_dash_for_what_is_unknown():
    assert cards.table([["a", "b"], [0.5, None]]) == "| a | b |\n|---|---|\n| 0.500 | - |"


def test_the_card_of_an_agent_says_what_it_can_do_and_what_its_shares_are_of(tmp_path):
    envs = {"agent/HumanoidGoal-v0": "17 torques", "agent/G1Goal-v0": "29 joint targets"}
    names = {"name": "me/agent", "bodies": ["humanoid", "g1"], "envs": envs}
    cards.write_agent_card(tmp_path, **names, results={})
    assert "## Results\n\nNot measured." in (tmp_path / "README.md").read_text()
    cards.write_agent_card(tmp_path, **names, results={"exact": 0.5})
    card = ModelCard.load(tmp_path / "README.md")
    assert "The planner, on development sentences:\n\n| measure | share |\n|---|---|\n| exact | 0.500 |" in card.text
    assert {result.dataset_name for result in card.data.eval_results} == {"development sentences"}
    assert "robots of `agent/HumanoidGoal-v0` and `agent/G1Goal-v0`" in card.text
    assert "17 torques or 29 joint targets out" in card.text and '"me/agent")  # or body="g1"' in card.text
    assert {"humanoid", "g1"} <= set(card.data.tags)
    assert "go to a place, return, face the way it started, crouch" in card.text.replace("\n", " ")


def test_the_card_of_a_planner_names_its_base_and_the_sentences_it_was_measured_on(tmp_path):
    runs.write_json(tmp_path / runs.PROVENANCE, PROVENANCE)
    cards.write_planner_card(tmp_path, name="me/planner", base="a/model", examples=200, results={"exact": 0.5})
    text = (tmp_path / "README.md").read_text()
    for part in (
        "adapter on a/model.",
        "Shares of 200 development sentences",
        "| exact | 0.500 |",
        "train.py --seed 3",
    ):
        assert part in " ".join(text.split())
