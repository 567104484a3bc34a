"""Stage 4: the small Llama and its adapter, any other causal LM, resuming, feedback, and the assembled agent."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT, run_script
from peft import get_peft_model
from safetensors.torch import save_file
from samples import small_planner, with_adapter, write_dataset
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import finetune_llm
from agent.artefacts import hub, runs
from agent.artefacts.arguments import parse_arguments
from agent.goals import GOAL_VERSION
from agent.language.corpus.generator import generate, prompt
from agent.language.planner import VOCABULARY, Planner
from agent.language.small_llama import train_tokenizer
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.motor_agent import MotorAgent
from finetune_llm import (
    Arguments,
    base_planner,
    begin,
    draw,
    first_adapter_step,
    lora,
    tokenized,
)

TINY = [
    *("--hidden_size", "64", "--num_hidden_layers", "1", "--vocab_size", "600", "--base_examples", "64"),
    *("--train_examples", "32", "--per_device_train_batch_size", "16", "--eval_examples", "10"),
    *("--eval_steps", "2", "--save_steps", "2", "--report_to", "none", "--lora_rank", "2"),
]
SHIPPED = "pretrained/humanoid"
# Of TinyLlama/TinyLlama-1.1B-Chat-v1.0, as its config.json has it.
TINYLLAMA = {
    "vocab_size": 32000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "tie_word_embeddings": False,
}
TEXTS = ["walk forward for 2 seconds, then turn left", "", "jump", "<end> <s>", "\N{ROBOT FACE}"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The script as a user calls it, with an agent assembled from what the other stages make, very small."""
    folder = tmp_path_factory.mktemp("language")
    small = GoalDecisionTransformerConfig(hidden_size=16, n_layer=1, n_head=2)
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(folder / "policy")
    GoalDecisionTransformer(small).save_pretrained(folder / "decision_transformer")
    for part in ("policy", "decision_transformer"):
        (folder / part / "checkpoint").mkdir()
        (folder / part / "tracker").mkdir()
        (folder / part / "tracker" / "events.out.tfevents.1").touch()
        save_file({"rewards": torch.tensor([torch.nan])}, folder / part / "not_finite.safetensors")
    parts = ("--agent_dir", folder / "agent", "--policy", folder / "policy")
    parts += ("--decision_transformer", folder / "decision_transformer")
    done = run_script("finetune_llm.py", *TINY, *parts, "--output_dir", folder / "planner")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_writes_a_planner_that_loads_and_prints_its_accuracy(trained):
    folder, done = trained
    planner = Planner.from_pretrained(folder / "planner")
    assert len(planner.parse_batch(TEXTS)) == len(TEXTS)
    summary = json.loads((folder / "planner/summary.json").read_text())
    assert summary["stage"] == "language" and summary["metric"] in done.stdout
    assert (folder / "planner/provenance.json").exists() and (folder / "planner/curves.png").exists()


def test_the_stored_base_is_the_one_that_the_adapter_was_trained_over(trained):
    """An adapter for other weights would load too, and be wrong."""
    folder, _ = trained
    base = Planner.from_pretrained(folder / "planner/base_training/planner").model.state_dict()
    travels = LlamaForCausalLM.from_pretrained(folder / "planner/base").state_dict()
    assert all(torch.equal(base[name], value) for name, value in travels.items())


def test_progress_goes_to_stderr_and_only_the_result_to_stdout(trained):
    _, done = trained
    assert len(done.stdout.splitlines()) == 1 and "exact" in done.stdout
    assert "it/s" in done.stderr or "s/it" in done.stderr


def test_steps_of_the_metrics_count_on_from_the_small_llama_to_the_adapter(trained):
    folder, _ = trained
    rows = [json.loads(line) for line in (folder / "planner/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    assert {name.split("/")[0] for row in rows for name in row} == {"step", "base", "adapter"}


def test_the_assembled_agent_has_three_parts_and_nothing_that_only_training_needs(trained):
    folder, _ = trained
    agent = folder / "agent"
    config = {"body": "humanoid", "goal_version": GOAL_VERSION, "model_type": "motor_agent"}
    assert json.loads((agent / "config.json").read_text()) == config
    assert {path.name for path in agent.iterdir() if path.is_dir()} == {"policy", "decision_transformer", "planner"}
    unwanted = ("*checkpoint*", "*_training", "tracker", "not_finite.safetensors", "metrics.jsonl")
    assert not [path for pattern in unwanted for path in agent.rglob(pattern)]
    assert MotorAgent.from_pretrained(agent).act(np.zeros(45, dtype=np.float32)).shape == (17,)


@pytest.mark.slow
def test_a_finished_run_resumes_to_the_same_planner(trained):
    folder, _ = trained
    before = Planner.from_pretrained(folder / "planner").parse_with_confidence(TEXTS)
    done = run_script("finetune_llm.py", *TINY, "--output_dir", folder / "planner", "--resume")
    assert done.returncode == 0, done.stderr
    after = Planner.from_pretrained(folder / "planner").parse_with_confidence(TEXTS)
    assert [each.program for each in after] == [each.program for each in before]


@pytest.fixture(scope="module")
def taught(trained, tmp_path_factory):
    """A planner with a feedback adapter, in a folder that held another one; its flags and the finished process."""
    folder = tmp_path_factory.mktemp("feedback")
    write_dataset(folder / "rollouts")
    (folder / "planner" / "base").mkdir(parents=True)
    (folder / "planner" / "base" / "model-00001-of-00002.safetensors").touch()
    (folder / "planner" / "feedback").mkdir()
    (folder / "planner" / "feedback" / "feedback.json").write_text("{}")
    runs.seal(folder / "planner" / "feedback")
    stage = ("--stage", "feedback", "--init_from", trained[0] / "planner", "--dataset", folder / "rollouts")
    done = run_script("finetune_llm.py", *TINY, *stage, "--output_dir", folder / "planner")
    assert done.returncode == 0, done.stderr
    return folder / "planner", stage, done


@pytest.mark.slow
def test_a_planner_learns_to_judge_and_reads_instructions_as_before(trained, taught, tmp_path):
    folder, _ = trained
    planner, _, done = taught
    assert "of the verdicts" in done.stdout and "of the proposals" in done.stdout
    assert {path.name for path in (planner / "base").iterdir()} == {
        path.name for path in (folder / "planner/base").iterdir()
    }
    before, after = Planner.from_pretrained(folder / "planner"), Planner.from_pretrained(planner)
    assert before.feedback is None and after.feedback is not None
    assert after.parse_with_confidence(TEXTS) == before.parse_with_confidence(TEXTS)
    after.save_pretrained(tmp_path / "again")
    again = Planner.from_pretrained(tmp_path / "again")
    assert again.miss_threshold == after.miss_threshold
    assert all(
        torch.equal(a, b) for a, b in zip(again.feedback.parameters(), after.feedback.parameters(), strict=True)
    )


@pytest.mark.slow
def test_feedback_resumes_only_with_the_same_arguments(taught, refusal):
    planner, stage, _ = taught
    flags = (*TINY, *stage, "--output_dir", planner, "--resume", "--lora_rank", "4")
    assert "lora_rank was 2 and is 4" in refusal("finetune_llm", *flags)


@pytest.mark.slow
def test_continuing_from_a_planner_drops_its_feedback_adapter(taught, tmp_path):
    planner, _, _ = taught
    flags = ["--init_from", str(planner), "--output_dir", str(tmp_path / "planner")]
    finetune_llm.main(parse_arguments(Arguments, [*TINY, *flags]))
    assert Planner.from_pretrained(planner).feedback is not None
    assert Planner.from_pretrained(tmp_path / "planner").feedback is None
    assert not (tmp_path / "planner" / "feedback").exists()


FEEDBACK_RUN = {"stage": "feedback", "dataset": "a", "init_from": "b"}


def test_a_new_feedback_run_drops_old_checkpoints_and_a_resumed_one_keeps_its_metrics(tmp_path):
    args, folder = Arguments(**FEEDBACK_RUN, output_dir=str(tmp_path)), tmp_path / "feedback"
    checkpoint = tmp_path / "feedback_training" / "checkpoint-4"
    checkpoint.mkdir(parents=True)
    runs.seal(checkpoint)
    metrics = begin(args, folder, {})
    assert not checkpoint.exists()
    for step in (3, 5):
        metrics.add(step, {"feedback/loss": 1.0})
    del metrics
    checkpoint.mkdir(parents=True)
    runs.seal(checkpoint)
    assert [row["step"] for row in begin(replace(args, resume=True), folder, {}).rows] == [3]
    assert checkpoint.exists()


def test_two_feedback_runs_cannot_share_a_folder(tmp_path, refusal):
    flags = ["--stage", "feedback", "--init_from", f"{SHIPPED}/planner", "--dataset", tmp_path]
    first = runs.claim(tmp_path / "planner")
    assert "another run writes into" in refusal("finetune_llm", *flags, "--output_dir", tmp_path / "planner")
    del first


def test_feedback_is_for_one_process():
    args = Arguments(**FEEDBACK_RUN, num_processes=2)
    with pytest.raises(ValueError, match="is for one process, 2 work on this"):
        args.check_processes(2)
    Arguments(num_processes=2).check_processes(2)


def test_a_run_resumes_only_from_the_weights_it_started_from_wherever_they_are(tmp_path, monkeypatch, refusal):
    def stop(*args, **kwargs):
        raise ValueError("it goes on")

    monkeypatch.setattr(finetune_llm, "draw", stop)
    for name, value in (("base", 0.0), ("other", 1.0)):
        (tmp_path / name).mkdir()
        save_file({"weight": torch.full((2,), value)}, tmp_path / name / "model.safetensors")
    shutil.copytree(tmp_path / "base", tmp_path / "moved")
    run = ("finetune_llm", *TINY, "--output_dir", tmp_path / "planner")
    assert "it goes on" in refusal(*run, "--base_model", tmp_path / "base")
    assert "it goes on" in refusal(*run, "--resume", "--base_model", tmp_path / "moved")
    assert "the weights of base_model=other differ: give what it started from" in refusal(
        *run, "--resume", "--base_model", tmp_path / "other"
    )
    assert "base_model= differ" in refusal(*run, "--resume")
    assert "base_model= differ" in refusal(*run, "--resume", "--init_from", tmp_path / "base")


@pytest.mark.parametrize(
    ("flags", "updates"),
    [
        ({}, 4),
        ({"train_examples": 96}, 6),
        ({"init_from": "a"}, 0),
        ({"base_model": "a"}, 0),
    ],
)
def test_the_adapters_first_step_follows_the_updates_of_the_small_llama(flags, updates):
    sizes = {"base_examples": 64, "train_examples": 32, "eval_examples": 1, "per_device_train_batch_size": 16}
    args = Arguments(**sizes | flags)
    assert first_adapter_step(args) == updates
    assert args.examples_in_full == 16 * updates


def test_a_snapshot_in_the_cache_is_its_repo_and_a_folder_in_one_is_a_folder(tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--me--it" / "snapshots" / ("0" * 40)
    train_tokenizer(TEXTS, 600).save_pretrained(snapshot / "model")
    config = LlamaConfig(
        vocab_size=600, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    LlamaForCausalLM(config).save_pretrained(snapshot / "model")
    assert hub.by_name(str(snapshot)) == str(snapshot), "in the cache of somebody else"
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert hub.by_name(str(snapshot)) == f"me/it@{'0' * 40}"
    assert [hub.by_name(name) for name in ("", "me/it", str(tmp_path))] == ["", "me/it", str(tmp_path)]
    inner = str(snapshot / "model")
    planner = base_planner(Arguments(base_model=hub.by_name(inner)), None, {"base_model": snapshot / "model"}, [], [])
    assert (planner.base_model, planner.base_revision) == (inner, "")


def test_a_planner_cannot_overwrite_the_one_it_continues_from(trained, refusal):
    planner = trained[0] / "planner"
    line = refusal("finetune_llm", "--init_from", planner, "--output_dir", planner)
    assert "would be overwritten: give another --output_dir" in line


def test_continuing_from_a_planner_over_another_base_stores_a_base_of_its_own(tmp_path):
    """Its adapter is merged, so the base that it names is not the base of the next adapter."""
    planner = small_planner(list(VOCABULARY))
    planner.model.save_pretrained(tmp_path / "base_model")
    with_adapter(planner, str(tmp_path / "base_model")).save_pretrained(tmp_path / "planner")
    source = {"init_from": tmp_path / "planner"}
    further = base_planner(Arguments(init_from=str(tmp_path / "planner")), None, source, [], [])
    assert (further.base_model, further.base_revision) == ("", "")
    further.save_pretrained(tmp_path / "further")
    with_adapter(further).save_pretrained(tmp_path / "further")
    assert (tmp_path / "further" / "base").is_dir() and Planner.from_pretrained(tmp_path / "further")


@pytest.mark.slow
def test_tinyllamas_architecture_trains_and_reads_the_same_in_a_new_process(tmp_path):
    """Its architecture, narrow and shallow, and its kind of tokenizer: BPE over metaspaces with byte fallback."""
    base, output = tmp_path / "base_model", tmp_path / "planner"
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    corpus = (prompt(each.text) for each, _ in zip(generate(3), range(200), strict=False))
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=900, special_tokens=pieces, show_progress=False)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(base)
    torch.manual_seed(0)
    sizes = {"vocab_size": len(fast), "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 1}  # as many to a key as in the large one
    LlamaForCausalLM(LlamaConfig(**TINYLLAMA | sizes | heads)).save_pretrained(base)
    done = run_script("finetune_llm.py", *TINY, "--base_model", base, "--output_dir", output)
    assert done.returncode == 0, done.stderr
    assert (output / "adapter_model.safetensors").exists() and not (output / "base").exists()
    parses = Planner.from_pretrained(output).parse_with_confidence(TEXTS)
    here = [[parse.program.tokens, parse.confidence] for parse in parses]
    code = """import json, sys
from agent.language.planner import VOCABULARY, Planner
from agent.language.small_llama import train_tokenizer
parses = Planner.from_pretrained(sys.argv[1]).parse_with_confidence(json.loads(sys.argv[2]))
print(json.dumps([[parse.program.tokens, parse.confidence] for parse in parses]))"""
    there = subprocess.run(
        [sys.executable, "-c", code, output, json.dumps(TEXTS)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout) == here


def test_the_adapter_of_tinyllama_is_at_most_60_mb():
    args = parse_arguments(Arguments, ["--config", str(ROOT / "configs/llm/tinyllama.yaml")])
    with torch.device("meta"):  # shapes without numbers
        model = get_peft_model(LlamaForCausalLM(LlamaConfig(**TINYLLAMA)), lora(args))
    adapter = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert model.num_parameters() - adapter == pytest.approx(1.1e9, rel=0.01)
    assert 4 * adapter <= 60e6  # float32


def test_nothing_excluded_is_drawn():
    held_out = {prompt(each.text) for each in draw(0, 100)[::2]}
    examples = draw(0, 50, excluded=held_out)
    assert len(examples) == 50
    assert held_out.isdisjoint(prompt(each.text) for each in examples)


def test_the_loss_is_on_the_program_alone():
    examples = draw(0, 50)
    tokenizer = train_tokenizer([prompt(each.text) for each in examples], 600)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=600, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )
    ids = [tokenizer.get_vocab()[token] for token in VOCABULARY]
    planner = Planner(model, tokenizer, ids)
    for row, each in zip(tokenized(planner, examples), examples, strict=True):
        kept = [index for index, counts in zip(row["input_ids"], row["completion_mask"], strict=True) if counts]
        assert kept == planner.completion_ids(each.program, prompt(each.text))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--base_model", "a", "--init_from", "b"], "give one of them"),
        (["--stage", "grpo"], "stage='grpo' is unknown"),
        (["--stage", "feedback", "--init_from", "a"], "--stage feedback and --dataset go together"),
        (["--stage", "feedback", "--dataset", "a"], "give --init_from"),
        (["--agent_dir", "a"], "give --policy and --decision_transformer"),
        (["--hidden_size", "100"], "hidden_size=100"),
        (["--init_from", "/nowhere"], "/nowhere is no folder"),
        (["--agent_dir", "a", "--policy", SHIPPED, "--decision_transformer", SHIPPED], "holds a motor_agent"),
    ],
)
def test_a_wrong_argument_ends_in_one_line(flags, words, tmp_path, refusal):
    assert words in refusal("finetune_llm", *flags, "--output_dir", tmp_path)
