"""Artefacts by name: what is no folder and no repo, and all that is refused before it is used."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT, contents
from safetensors.torch import load_file, save_file

from agent import hub
from agent.goals import GOAL_VERSION
from agent.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.planner import VOCABULARY, Planner

NAME = "me/policy"
FAR_IDS = list(range(10**6, 10**6 + len(VOCABULARY)))


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "saved"
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(folder)
    return folder


# Folders


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


def test_a_staging_folder_is_gone_after_use():
    with hub.staging() as folder:
        (folder / "file").write_text("text")
    assert not folder.exists()


def test_auto_classes_know_our_models(saved):
    code = "import sys, agent.motor_policy, transformers as t; print(type(t.AutoModel.from_pretrained(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", code, saved], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MotorPolicy" in done.stdout, done.stderr


# Hostile repos


def hostile(server, saved, change) -> None:
    """Put the policy in `saved` on the Hub, after `change` has been made to its files."""
    files = contents(saved)
    change(files)
    server.add(NAME, files)


def with_config(**values):
    def change(files):
        files["config.json"] = json.dumps(json.loads(files["config.json"]) | values).encode()

    return change


def with_file(name, content):
    return lambda files: files.update({name: content})


def pickled(files):
    files["pytorch_model.bin"] = files.pop("model.safetensors")


HOSTILE = {
    "pickle": (pickled, r"pytorch_model\.bin|no \*\.safetensors"),
    "code": (with_config(auto_map={"AutoModel": "evil.Model"}), r"config\.json to run code .*auto_map"),
    "parent": (with_file("../../evil.json", b"{}"), r"'\.\./\.\./evil\.json' that would lie outside"),
    "absolute": (with_file("/etc/evil.json", b"{}"), "'/etc/evil.json' that would lie outside"),
    "windows": (with_file("..\\evil.json", b"{}"), "that would lie outside"),
    "wide": (with_config(widths=[10**9, 10**9]), "config.json that makes no model|declares .* parameters"),
    "deep": (with_config(widths=[8] * 10**5), "declares widths"),
    "body": (with_config(observation_size=44), "observation_size=44, here it is 45"),
    "vocabulary": (with_config(goal_version="0"), "goal vocabulary 0"),
    "script": (with_file("README.md", b"# Nice\n<script>fetch('/')</script>"), r"script in its README\.md"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_repo_is_refused_by_name(what, server, saved, tmp_path):
    change, message = HOSTILE[what]
    hostile(server, saved, change)
    with pytest.raises(ValueError, match=rf"(?s)^({NAME}|me--policy).*({message})"):
        MotorPolicy.from_pretrained(NAME)
    assert not list(tmp_path.rglob("evil*"))


def test_weights_that_are_not_finite_are_refused_by_name(saved):
    weights = load_file(saved / "model.safetensors")
    weights["clock_embedding.weight"][3] = float("nan")
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"weights that are not finite, clock_embedding\.weight"):
        MotorPolicy.from_pretrained(saved)


def test_a_header_that_declares_more_than_the_file_holds_is_refused(saved):
    header = json.dumps({"log_std": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}).encode()
    (saved / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    with pytest.raises(ValueError, match="cannot be loaded"):
        MotorPolicy.from_pretrained(saved)


def test_a_link_out_of_the_folder_is_refused(saved, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    (saved / "extra.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(ValueError, match=r"link out of its folder, extra\.json"):
        MotorPolicy.from_pretrained(saved)


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    """The planner that ships."""
    return contents(ROOT / "pretrained" / "humanoid" / "planner")


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("planner.json", {"goal_token_ids": FAR_IDS}, "beyond the .* of the vocabulary"),
        ("planner.json", {"goal_token_ids": "all"}, "goal_token_ids='all'"),
        ("adapter_config.json", {"r": 10**9}, "rank 1000000000"),
        ("adapter_config.json", {"auto_map": {"": ""}}, "auto_map"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}, "auto_map"),
        ("base/config.json", {"num_hidden_layers": 10**9}, "declares num_hidden_layers"),
        ("base/config.json", {"hidden_size": 3 * 2**15}, "declares .* parameters"),
    ],
)
def test_a_hostile_planner_is_refused_by_name(planner, file, values, message, tmp_path):
    files = planner | {file: json.dumps(json.loads(planner[file]) | values).encode()}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Planner.from_pretrained(tmp_path)


def test_a_planner_from_the_hub_cannot_name_a_folder_of_this_machine_as_its_base(planner, server):
    files = {name: content for name, content in planner.items() if not name.startswith("base/")}
    files["planner.json"] = json.dumps(json.loads(files["planner.json"]) | {"base_model": "../../secret"}).encode()
    server.add("me/planner", files)
    with pytest.raises(ValueError, match=r"me/planner names the base model '\.\./\.\./secret'"):
        Planner.from_pretrained("me/planner")


def test_what_is_pushed_and_loaded_acts_the_same(server, saved):
    (saved / "README.md").write_text("# A policy\n")
    hub.push_folder(saved, NAME)
    observations = torch.randn(4, 45).numpy()
    policies = MotorPolicy.from_pretrained(saved), MotorPolicy.from_pretrained(NAME, revision="main")
    np.testing.assert_array_equal(*(policy.act(observations) for policy in policies))
