"""Artefacts that were made to do harm: each is refused with its name, before anything in it is used."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import contents, without_manifests
from safetensors.torch import load, save
from samples import small_agent, small_planner, with_adapter

from agent.artefacts import checks, runs
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.motor_agent import MotorAgent

NAME = "me/policy"


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "saved"
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(folder)
    (folder / runs.MANIFEST).unlink()
    return folder


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


def with_weights(**values):
    """Another value for the first number of an array."""

    def change(files):
        weights = load(files["model.safetensors"])
        for name, value in values.items():
            weights[name].view(-1)[0] = value
        files["model.safetensors"] = save(weights, metadata={"format": "pt"})

    return change


def with_shards(place):
    """Weights in several files, one of them at `place`."""
    return with_file("model.safetensors.index.json", json.dumps({"weight_map": {"log_std": place}}).encode())


def pickled(files):
    files["pytorch_model.bin"] = files.pop("model.safetensors")


def with_a_header_of_terabytes(files):
    header = json.dumps({"log_std": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}).encode()
    files["model.safetensors"] = len(header).to_bytes(8, "little") + header + bytes(64)


HOSTILE = {
    "pickle": (pickled, r"pytorch_model\.bin|no \*\.safetensors"),
    "code": (with_config(auto_map={"AutoModel": "evil.Model"}), r"config\.json to run code .*auto_map"),
    "kernel": (with_config(_attn_implementation="evil/kernel"), r"config\.json to run code .*_attn_implementation"),
    "parent": (with_file("../../evil.json", b"{}"), r"'\.\./\.\./evil\.json' that would lie outside"),
    "absolute": (with_file("/etc/evil.json", b"{}"), "'/etc/evil.json' that would lie outside"),
    "windows": (with_file("..\\evil.json", b"{}"), "that would lie outside"),
    "wide": (with_config(widths=[10**9, 10**9]), "config.json that makes no model|declares .* parameters"),
    "deep": (with_config(widths=[8] * 10**5), "declares widths"),
    "labels": (with_config(num_labels=10**9), "declares num_labels"),
    "nested": (with_file("config.json", b'{"a":' * 10**5 + b"1" + b"}" * 10**5), r"config\.json is no JSON"),
    "digits": (with_file("config.json", b'{"widths": ' + b"9" * 10**4 + b"}"), r"config\.json is no JSON"),
    "large": (with_file("config.json", b'{"a": "' + b"a" * 2**24 + b'"}'), r"config\.json of 16,777,\d+ bytes"),
    "folder": (lambda files: files.update({"config.json/x.md": files.pop("config.json")}), r"config\.json is no JSON"),
    "code in a list": (with_config(parts=[{"auto_map": {"": ""}}]), r"config\.json to run code .*auto_map"),
    "shard": (with_shards("../other/model.safetensors"), r"weights in '\.\./other/model\.safetensors'"),
    "absolute shard": (with_shards("/etc/model.safetensors"), "weights in '/etc/model.safetensors'"),
    "statistics": (with_weights(even_variance=-1.0), "acts with numbers that are not finite"),
    "header": (with_a_header_of_terabytes, "cannot be loaded"),
    "not finite": (with_weights(log_std=float("nan")), "weights that are not finite, log_std"),
    "body": (with_config(observation_size=44), "observation_size=44, here it is 45"),
    "range": (with_config(action_scale=[1e9] * 17), r"action_scale=\[1000000000\.0, .* here it is \[0\.4"),
    "vocabulary": (with_config(goal_version="0"), "goal vocabulary 0"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_repo_is_refused_by_name(what, server, saved, tmp_path):
    change, message = HOSTILE[what]
    hostile(server, saved, change)
    with pytest.raises(ValueError, match=rf"(?s)({NAME}|me--policy).*({message})"):
        MotorPolicy.from_pretrained(NAME)
    assert not list(tmp_path.rglob("evil*"))


def test_a_link_out_of_the_folder_is_refused(saved, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    (saved / "extra.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(ValueError, match=r"link out of its folder, extra\.json"):
        MotorPolicy.from_pretrained(saved)


def test_a_config_does_not_change_the_type_of_the_numbers(saved):
    before = MotorPolicy.from_pretrained(saved).act(np.ones(45, np.float32))
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    np.testing.assert_array_equal(MotorPolicy.from_pretrained(saved).act(np.ones(45, np.float32)), before)


def test_a_model_of_endless_parts_is_stopped_while_it_is_made():
    with pytest.raises(ValueError, match="more than 100 parts"), checks.at_most(100):
        torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(10**9))
    torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(101))


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """The files of an agent."""
    folder = tmp_path_factory.mktemp("agent")
    small_agent().save_pretrained(folder)
    return without_manifests(folder)


@pytest.fixture(scope="module")
def planner(tmp_path_factory):
    """The files of a planner with its own base model and an adapter for it."""
    folder = tmp_path_factory.mktemp("planner")
    small_planner().save_pretrained(folder / "whole")
    with_adapter(small_planner()).save_pretrained(folder / "adapted")
    return without_manifests(folder / "whole") | without_manifests(folder / "adapted")


def in_part(part, change):
    """A change of the files of one part of an agent."""

    def change_part(files):
        own = {name.removeprefix(f"{part}/"): files.pop(name) for name in list(files) if name.startswith(f"{part}/")}
        change(own)
        files |= {f"{part}/{name}": content for name, content in own.items()}

    return change_part


def of_another_body(files):
    sizes = {"bodies": ["other"], "state_dims": [3], "act_dims": [2], "action_scales": [[1.0, 1.0]]}
    config = GoalDecisionTransformerConfig(**sizes, hidden_size=16, n_layer=1, n_head=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        GoalDecisionTransformer(config).save_pretrained(folder)
        files |= without_manifests(folder)


HOSTILE_AGENTS = {
    "pickle": (in_part("policy/humanoid", pickled), r"policy/humanoid cannot be loaded \(it has no \*\.safetensors\)"),
    "code": (in_part("decision_transformer", with_config(auto_map={"AutoModel": "evil.Model"})), "auto_map"),
    "not finite": (
        in_part("policy/humanoid", with_weights(log_std=float("inf"))),
        "policy/humanoid has weights that are not finite",
    ),
    "wide": (in_part("decision_transformer", with_config(hidden_size=2**20)), "declares .* parameters"),
    "body": (
        in_part("decision_transformer", of_another_body),
        r"decision_transformer: this model does not move body='humanoid'",
    ),
    "range": (
        in_part("decision_transformer", with_config(action_scales=[[1e9] * 17])),
        r"action_scales=\[\[1000000000\.0, .* here it is \[\[0\.4",
    ),
    "vocabulary": (with_config(goal_version="0"), "goal vocabulary 0"),
    "vocabulary of a part": (in_part("policy/humanoid", with_config(goal_version="0")), "goal vocabulary 0"),
    "bodies": (with_config(bodies=["../policy"]), "bodies=.*policy.*must be a list of names"),
    "half": (lambda files: in_part("planner", dict.clear)(files), r"has no planner/"),
}


@pytest.mark.parametrize("what", HOSTILE_AGENTS)
def test_a_hostile_agent_is_refused_by_name(what, server, agent):
    change, message = HOSTILE_AGENTS[what]
    change(files := dict(agent))
    server.add("me/agent", files)
    with pytest.raises(ValueError, match=rf"(me/agent|models--me--agent).*({message})"):
        MotorAgent.from_pretrained("me/agent")


def with_values(file, **values):
    """Other values in a JSON file."""
    return lambda files: files.update({file: json.dumps(json.loads(files[file]) | values).encode()})


def with_arrays(file, change):
    """Other arrays in a file of weights; `change` gets them by name, and the name of one of many."""

    def change_file(files):
        arrays = load(files[file])
        change(arrays, next(name for name in arrays if "q_proj" in name))
        files[file] = save(arrays, metadata={"format": "pt"})

    return change_file


def without_one(arrays, name):
    del arrays[name]


def with_another(arrays, name):
    arrays["another.lora_A.weight"] = arrays[name].clone()


def of_another_shape(arrays, name):
    arrays[name] = arrays[name][:, 1:].contiguous()


def not_finite(arrays, name):
    arrays[name][0, 0] = float("nan")


def with_far_words(files):
    tokenizer = json.loads(files[TOKENIZER])
    special, words = {each["content"] for each in tokenizer["added_tokens"]}, tokenizer["model"]["vocab"]
    words |= {word: index + 10**6 for word, index in words.items() if word not in special}
    files[TOKENIZER] = json.dumps(tokenizer).encode()


ADAPTER, BASE, TOKENIZER = "adapter_model.safetensors", "base/model.safetensors", "base/tokenizer.json"
HOSTILE_PLANNERS = {
    "type": (with_values("planner.json", dtype="object"), "dtype='object'"),
    "confidence": (with_values("planner.json", least_confidence=float("nan")), "least_confidence=nan"),
    "rank": (with_values("adapter_config.json", r=10**9), "rank 1000000000"),
    "code": (with_values("adapter_config.json", auto_map={"": ""}), "auto_map"),
    "module": (with_values("adapter_config.json", megatron_config={}, megatron_core="evil"), "megatron_core='evil'"),
    "start": (with_values("adapter_config.json", init_lora_weights="pissa"), "init_lora_weights='pissa'"),
    "target": (with_values("adapter_config.json", target_modules=["nowhere"]), "not for its base model"),
    "pattern": (with_values("adapter_config.json", target_modules="(a+)+$"), r"target_modules '\(a\+\)\+\$'"),
    "pattern of ranks": (with_values("adapter_config.json", rank_pattern={"(a+)+$": 1}), "rank_pattern"),
    "adapter without one": (with_arrays(ADAPTER, without_one), "not for its base model|other weights"),
    "adapter with another": (with_arrays(ADAPTER, with_another), "other weights than its adapter_config"),
    "adapter of another shape": (with_arrays(ADAPTER, of_another_shape), "not for its base model"),
    "adapter not finite": (with_arrays(ADAPTER, not_finite), "not finite"),
    "code of the tokenizer": (
        with_values("base/tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T"]}),
        "auto_map",
    ),
    "tokenizer": (with_file(TOKENIZER, b"{}"), "tokenizer that cannot be loaded"),
    "words of a tokenizer": (with_far_words, r"the tokenizer has ids up to 1,000,\d+, the language model has 5\d+"),
    "numbers": (
        with_values("base/config.json", rms_norm_eps=float("nan")),
        "answers with numbers that are not finite",
    ),
    "nested": (with_values("base/config.json", text_config={"num_layers": 10**9}), "declares num_layers"),
    "deep": (with_values("base/config.json", num_hidden_layers=10**9), "declares num_hidden_layers"),
    "wide": (with_values("base/config.json", hidden_size=3 * 2**15), "declares .* parameters"),
    "tables": (
        with_values("base/config.json", model_type="gptj", rotary_dim=4, max_position_embeddings=10**9),
        "declares tables of",
    ),
    "kernel": (with_values("base/config.json", attn_implementation="evil/kernel"), r"run code .*attn_implementation"),
    "kernel of a part": (
        with_values("base/config.json", text_config={"_attn_implementation": {"": "evil/kernel"}}),
        r"run code .*attn_implementation",
    ),
    "quantized": (with_values("base/config.json", quantization_config={"quant_method": "gptq"}), "cannot be loaded"),
    "vocabulary": (with_values("base/config.json", vocab_size=1000), "cannot be loaded"),
    "base without one": (with_arrays(BASE, without_one), "other weights than its config"),
    "base of another shape": (with_arrays(BASE, of_another_shape), "cannot be loaded"),
    "base not finite": (with_arrays(BASE, not_finite), "not finite"),
    "pickle": (
        lambda files: files.update({"base/pytorch_model.bin": files.pop(BASE)}),
        r"pytorch_model\.bin is a pickle",
    ),
}


@pytest.mark.parametrize("what", HOSTILE_PLANNERS)
def test_a_hostile_planner_is_refused_by_name(what, planner, tmp_path):
    change, message = HOSTILE_PLANNERS[what]
    change(files := dict(planner))
    write(files, tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        Planner.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_same_planner_loads_where_nothing_was_changed(planner, tmp_path):
    write(planner, tmp_path)
    assert Planner.from_pretrained(tmp_path).adapter == tmp_path


def write(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def test_a_planner_from_the_hub_cannot_name_a_folder_of_this_machine_as_its_base(planner, server):
    files = {name: content for name, content in planner.items() if not name.startswith("base/")}
    files["planner.json"] = json.dumps(json.loads(files["planner.json"]) | {"base_model": "../../secret"}).encode()
    server.add("me/planner", files)
    with pytest.raises(ValueError, match=r"me/planner names the base model '\.\./\.\./secret'"):
        Planner.from_pretrained("me/planner")
