import json

import pytest

from agent import hub
from agent.goals import GOAL_VERSION
from agent.motor_policy import MotorPolicy, MotorPolicyConfig


@pytest.fixture
def saved(tmp_path):
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(tmp_path)
    return tmp_path


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
        ({"goal_version": "0"}, f"goal vocabulary 0, this code {GOAL_VERSION}"),
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


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_damaged_config_is_refused_by_name(saved, content):
    (saved / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json"):
        MotorPolicy.from_pretrained(saved)


def test_missing_weights_are_never_made_up(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot be loaded"):
        MotorPolicy.from_pretrained(saved)


def test_pickled_weights_are_not_read(saved):
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be loaded"):
        MotorPolicy.from_pretrained(saved)


def test_a_staging_folder_is_gone_after_use():
    with hub.staging() as folder:
        (folder / "file").write_text("text")
    assert not folder.exists()
