"""finetune_llm.py under FSDP without a GPU: torch shards over gloo as well, but accelerate shards over GPUs alone.

Launched with configs/accelerate/fsdp.yaml, its processes are told that what they have are GPUs. All the rest is what
runs on GPUs: the FSDP of torch and accelerate, the trainer, the script.
"""

import os

from accelerate import PartialState
from accelerate.utils import DistributedType

import finetune_llm
from agent.artefacts.arguments import parse_arguments

if __name__ == "__main__":
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda self, *args, **kwargs: ("gloo", DistributedType.MULTI_GPU)
    finetune_llm.main(parse_arguments(finetune_llm.Arguments))
    assert PartialState().distributed_type == DistributedType.FSDP
