"""Loading a language model and its adapter: nothing that is not what it says it is."""

import copy
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from samples import small_planner, with_adapter
from transformers import GPT2Config, GPT2LMHeadModel

from agent.language import base_model
from agent.language.base_model import ADAPTER, INSTALL, load_language_model, load_tokenizer, merge_adapter


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder, planner = tmp_path_factory.mktemp("saved"), small_planner()
    planner.model.save_pretrained(folder / "base")
    planner.tokenizer.save_pretrained(folder / "base")
    with_adapter(planner, "base").save_pretrained(folder / "adapter")
    (folder / "adapter" / "manifest.json").unlink()
    return folder


@pytest.fixture
def adapted(saved, tmp_path):
    """Folders of a base model and of an adapter for it."""
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return tmp_path / "base", tmp_path / "adapter"


def test_a_merged_adapter_changes_the_model_and_is_finite(adapted):
    base, adapter = adapted
    plain = load_language_model(base, "base", "float32")
    before = plain.model.layers[0].mlp.up_proj.weight.clone()
    merged = merge_adapter(plain, adapter, "adapter")
    assert not torch.equal(before, merged.model.layers[0].mlp.up_proj.weight)
    assert all(value.isfinite().all() for value in merged.state_dict().values())


@pytest.mark.parametrize("scale", ["r", "root of r"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_an_adapter_is_merged_as_peft_merges_it(architecture, scale, tmp_path):
    model = small_planner().model
    if architecture == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2))

    def base():
        return copy.deepcopy(model)

    settings = LoraConfig(
        r=3,
        lora_alpha=5,
        use_rslora=scale == "root of r",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights=False,
        fan_in_fan_out=architecture == "gpt2",
    )
    get_peft_model(base(), settings).save_pretrained(tmp_path)
    mine = merge_adapter(base(), tmp_path, "adapter").state_dict()
    theirs = PeftModel.from_pretrained(base(), tmp_path).merge_and_unload().state_dict()
    torch.testing.assert_close(mine, theirs)
    assert any(not torch.equal(value, mine[key]) for key, value in base().state_dict().items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"peft_type": "ADALORA"}, "declares an adapter"),
        ({"r": 4096}, "declares an adapter of rank 4096"),
        ({"target_modules": ["nowhere"]}, "none of target_modules"),
        ({"alpha_pattern": {"q_proj": 64}}, "is not plain LoRA"),
        ({"modules_to_save": ["lm_head"]}, "is not plain LoRA"),
    ],
)
def test_an_adapter_that_is_more_than_plain_lora_is_refused(adapted, changes, words):
    base, adapter = adapted
    config = json.loads((adapter / ADAPTER).read_text()) | changes
    (adapter / ADAPTER).write_text(json.dumps(config))
    with pytest.raises(ValueError, match=words):
        merge_adapter(load_language_model(base, "base", "float32"), adapter, "adapter")


def test_a_damaged_tokenizer_is_refused(adapted):
    base, _ = adapted
    (base / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_tokenizer(base, "base")


def test_the_packaged_weights_are_asked_for_by_the_line_that_installs_them(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(base_model.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="are not installed") as caught:
        base_model.packaged_model()
    assert INSTALL in str(caught.value)


@pytest.mark.slow
def test_the_packaged_weights_are_converted_once_and_then_load(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    convert, converted = base_model._convert, []
    monkeypatch.setattr(base_model, "_convert", lambda cache: converted.append(cache) or convert(cache))
    with ThreadPoolExecutor(2) as both:
        folder, same = both.map(lambda _: base_model.packaged_model(), range(2))
    assert folder == same and converted == [folder]
    model = load_language_model(folder, "smollm2", "bfloat16")
    assert model.num_parameters() == pytest.approx(134.5e6, rel=0.01)
    monkeypatch.setattr(base_model.importlib.util, "find_spec", lambda name: None)
    assert base_model.packaged_model() == folder


@pytest.mark.parametrize(
    ("capability", "device", "dtype"),
    [("AVX2", "cpu", torch.float32), ("AVX512", "cpu", torch.bfloat16), ("AVX2", "cuda", torch.bfloat16)],
)
def test_a_cpu_that_is_slow_with_16_bits_computes_with_32(monkeypatch, capability, device, dtype):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert base_model.quick_dtype("bfloat16", device) == dtype
