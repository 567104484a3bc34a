"""Artefacts by name: folders and repos, and what is neither."""

import json

import numpy as np
import pytest
import torch
from conftest import contents
from transformers import AutoModel

from agent.artefacts import hub, runs
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

NAME = "me/policy"


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "saved"
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(folder)
    (folder / runs.MANIFEST).unlink()
    return folder


def test_a_folder_is_itself(tmp_path):
    assert hub.folder(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["no/such/folder", "nobody/no-such-repo", "", "../elsewhere"])
def test_what_is_neither_a_folder_nor_a_repo_is_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="give a path that exists or owner/name"):
        hub.folder(name or "x/y/z")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "holds a llama: give a folder or repo of a motor_policy"),
        ({"widths": [4]}, "cannot be loaded|other weights"),
    ],
)
def test_a_model_that_is_not_what_its_config_should_say_is_refused(saved, change, message):
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match=message):
        MotorPolicy.from_pretrained(saved)


def test_truncated_weights_are_refused_by_name(saved):
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"{saved.name} cannot be loaded"):
        MotorPolicy.from_pretrained(saved)


def test_a_damaged_config_is_refused_by_name(saved):
    (saved / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json"):
        MotorPolicy.from_pretrained(saved)


def test_missing_weights_are_never_made_up(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot be loaded"):
        MotorPolicy.from_pretrained(saved)


def test_auto_classes_load_from_the_hub_with_the_same_checks(server, saved):
    server.add(NAME, contents(saved))
    assert type(AutoModel.from_pretrained(NAME)) is MotorPolicy
    files = contents(saved)
    config = files["config.json"].replace(b'"goal_version": "2"', b'"goal_version": "0"')
    server.add(NAME, files | {"config.json": config})
    with pytest.raises(ValueError, match="me/policy uses goal vocabulary 0"):
        AutoModel.from_pretrained(NAME)


def test_a_revision_that_is_a_path_is_refused(server):
    with pytest.raises(ValueError, match=r"no revision '\.\./\.\./x'"):
        hub.folder(f"{NAME}@../../x")
    assert not server.requests


def test_a_hostile_dataset_is_refused_by_name_and_its_code_never_comes_here(server, tmp_path):
    files = {"README.md": b"# Rows", "data/train.parquet": b"rows", "rows.py": b"import evil", "rows.pkl": b"\x80"}
    server.add("me/rows", files, kind="datasets")
    assert set(contents(hub.folder("me/rows", repo_type="dataset"))) == {"README.md", "data/train.parquet"}
    server.add("me/rows", files | {"../rows.parquet": b"rows"}, kind="datasets")
    with pytest.raises(ValueError, match=r"me/rows has a file '\.\./rows\.parquet' that would lie outside"):
        hub.folder("me/rows", repo_type="dataset")


def test_what_is_pushed_and_loaded_acts_the_same(server, saved):
    (saved / "README.md").write_text("# A policy\n")
    hub.push_folder(saved, NAME)
    observations = torch.randn(4, 45).numpy()
    policies = MotorPolicy.from_pretrained(saved), MotorPolicy.from_pretrained(NAME, revision="main")
    np.testing.assert_array_equal(*(policy.act(observations) for policy in policies))
