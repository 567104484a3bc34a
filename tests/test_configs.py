"""Every YAML that ships is accepted by the script it is for."""

import importlib

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from conftest import ROOT, SCRIPTS

from agent.artefacts.arguments import parse_arguments

# Folder, or file of configs/quickstart -> the script that reads it.
READERS = {
    "ppo": "pretrain_ppo",
    "dataset": "collect_dataset",
    "decision_transformer": "train_decision_transformer",
    "llm": "finetune_llm",
}
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.parent.name != "accelerate")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_config_is_accepted_and_every_value_in_it_counts(path):
    name = READERS[path.stem if path.parent.name == "quickstart" else path.parent.name]
    needed, _ = SCRIPTS[name]
    arguments = parse_arguments(importlib.import_module(name).Arguments, [*needed, "--config", str(path)])
    for name, value in yaml.safe_load(path.read_text()).items():
        assert getattr(arguments, name) == value


def test_the_quickstart_has_a_config_for_every_stage():
    assert {path.stem for path in (ROOT / "configs" / "quickstart").glob("*.yaml")} == set(READERS)


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "accelerate").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_its_configs_and_the_page_on_scaling_has_them(path):
    written = yaml.safe_load(path.read_text())
    config = load_config_from_file(str(path))
    assert (config.num_processes, config.num_machines) == (written["num_processes"], written["num_machines"])
    assert config.distributed_type != "MULTI_CPU", "starts one process"
    assert path.name in (ROOT / "docs" / "scaling.md").read_text()
