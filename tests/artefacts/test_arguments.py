"""Arguments: default < YAML < command line, and one line for whatever is wrong."""

import importlib
import json
import sys
from dataclasses import dataclass, field

import pytest
from conftest import SCRIPTS, run_script
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments
from agent.artefacts.arguments import parse_arguments


@strict
@dataclass
class Toy:
    speed: float = 1.0
    steps: int = 10
    seed: int = 0
    name: str = field(default="body", metadata={"help": "what to call it"})
    fast: bool = False

    def validate_speed(self):
        if self.speed < 0:
            raise ValueError(f"speed={self.speed} must be at least 0")


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "given.yaml").write_text(text)
        return str(tmp_path / "given.yaml")

    return write


def test_the_command_line_goes_before_yaml_and_yaml_before_the_default(config):
    path = config("speed: 2.0\nsteps: 20\n")
    assert parse_arguments(Toy, []) == Toy(1.0, 10)
    assert parse_arguments(Toy, ["--config", path]) == Toy(2.0, 20)
    assert parse_arguments(Toy, ["--config", path, "--speed", "3"]) == Toy(3.0, 20)
    assert parse_arguments(Toy, ["--speed", "3", "--config", path]) == Toy(3.0, 20)
    assert parse_arguments(Toy, ["--fast"]).fast and not parse_arguments(Toy, ["--fast", "false"]).fast


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("sped: 2.0", [], ["sped"]),
        ("steps: many", [], ["steps", "many"]),
        ("steps: 2.5", [], ["steps", "2.5"]),
        ("fast: 3", [], ["fast", "3"]),
        ("speed: -1.0", [], ["speed=-1.0", "at least 0"]),
        ("speed: [", [], ["given.yaml"]),
        ("- speed", [], ["given.yaml"]),
        ("", ["--sped", "2"], ["--sped"]),
        ("", ["--spe", "2"], ["--spe"]),
        ("", ["--steps", "2.5"], ["--steps", "2.5"]),
        ("", ["--speed", "-1"], ["speed=-1.0", "at least 0"]),
        ("", ["--speed"], ["--speed"]),
        ("", ["speed"], ["speed"]),
    ],
)
def test_what_is_wrong_is_named_in_one_line(config, text, flags, words):
    with pytest.raises(ValueError) as caught:
        parse_arguments(Toy, [*(["--config", config(text)] if text else []), *flags])
    message = str(caught.value)
    assert all(word in message for word in words) and "\n" not in message, message


@pytest.mark.parametrize(
    ("text", "flags", "begin"),
    [
        ("speed: -1.0", [], "GIVEN: speed=-1.0"),
        ("sped: 1.0", ["--steps", "3"], "GIVEN: "),
        ("\udcff", [], "GIVEN is not YAML"),
        ("speed: 2.0", ["--speed", "-1"], "speed=-1.0"),
    ],
)
def test_the_file_is_named_where_it_alone_is_wrong(tmp_path, text, flags, begin):
    path = tmp_path / "given.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError) as caught:
        parse_arguments(Toy, ["--config", str(path), *flags])
    assert str(caught.value).startswith(begin.replace("GIVEN", str(path)))


@pytest.mark.parametrize("flags", [["--speed", "nan"], ["--speed", "inf"], ["--steps", "-3"], ["--seed", str(2**32)]])
def test_a_number_that_no_script_takes_is_refused_with_its_name(flags):
    with pytest.raises(ValueError, match=f"{flags[0].removeprefix('--')}=.* must be "):
        parse_arguments(Toy, flags)


@pytest.mark.parametrize("flags", [["--config", "nowhere.yaml"], ["--config", "."], ["--config"], ["--config=a.yaml"]])
def test_a_config_that_cannot_be_read_is_named_in_one_line(flags):
    with pytest.raises(ValueError) as caught:
        parse_arguments(Toy, flags)
    assert flags[-1].removeprefix("--config=") in str(caught.value) and "\n" not in str(caught.value)


def exit_of(main, kind, argv, monkeypatch, capsys) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a script, in this process."""
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as caught:
        arguments.run(main, kind)
    return caught.value.code, *capsys.readouterr()


def test_exit_codes_say_how_it_ended(monkeypatch, capsys):
    def end(error=None):
        def main(args):
            if error is not None:
                raise error

        return exit_of(main, Toy, ["toy.py"], monkeypatch, capsys)

    assert end() == (0, "", "")
    assert end(ValueError("speed=9\nis too fast")) == (2, "", "toy.py: speed=9 is too fast\n")
    assert end(KeyboardInterrupt()) == (130, "", "toy.py: interrupted\n")
    with pytest.raises(AssertionError, match="ours"):  # a mistake of ours is no message for the user
        arguments.run(lambda args: (_ for _ in ()).throw(AssertionError("ours")), Toy)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("sed: 1", [], ["sed"]),
        ("seed: many", [], ["seed", "many"]),
        ("", ["--sed", "1"], ["--sed"]),
        ("", ["--seed", "many"], ["--seed", "many"]),
        ("", ["--config", "nowhere.yaml"], ["nowhere.yaml"]),
        ("", ["ARTEFACT", "no/such/folder"], ["no/such/folder"]),
    ],
)
def test_every_script_refuses_bad_input_before_any_work(
    name, text, flags, words, config, tmp_path, monkeypatch, refusal
):
    needed, artefact = SCRIPTS[name]
    given = [*needed, *(["--config", config(text)] if text else [])]
    given += [artefact if flag == "ARTEFACT" else flag for flag in flags]
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    line = refusal(name, *given)
    assert all(word in line for word in words), line
    assert set(tmp_path.rglob("*")) == before, "nothing was written"


OUT_OF_RANGE = [
    ("pretrain_ppo", "--num_envs", "0"),
    ("pretrain_ppo", "--difficulty", "1.5"),
    ("pretrain_ppo", "--reward", "gold"),
    ("pretrain_ppo", "--widths", "64,wide"),
    ("pretrain_ppo", "--widths", "0"),
    ("pretrain_ppo", "--num_threads", "-1"),
    ("pretrain_ppo", "--report_to", "a-tracker-that-nobody-has"),
    ("train_decision_transformer", "--context_length", "0"),
    ("finetune_llm", "--lora_rank", "0"),
    ("play", "--max_seconds", "0.0"),
    ("evaluate", "--suite", "commands,gait"),
    ("app", "--port", "70000"),
]


@pytest.mark.parametrize(("name", "flag", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_with_its_name(name, flag, value):
    script = importlib.import_module(name)
    with pytest.raises(ValueError, match=flag.removeprefix("--")) as caught:
        parse_arguments(script.Arguments, [*SCRIPTS[name][0], flag, value])
    assert value.strip() in str(caught.value)


CALL_EACH = """
import json, runpy, sys

for sys.argv in json.loads(sys.argv[1]):
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        print(ended.code)
"""


@pytest.mark.slow
def test_every_script_called_by_a_user_exits_with_two_and_one_line():
    calls = [[f"{name}.py", *needed, "--sed", "1"] for name, (needed, _) in SCRIPTS.items()]
    done = run_script("-c", CALL_EACH, json.dumps(calls))
    assert done.stdout.split() == ["2"] * len(calls), done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == [f"{name}.py:" for name in SCRIPTS], done.stderr
