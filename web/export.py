"""Write what the page in web/ needs: numbers and names of the Python code, the robot, and both networks as ONNX.

Reads   an agent (finetune_llm.py)
Writes  tables.json, humanoid.xml, transformer.onnx; with --planner also the language model with 8-bit weights (140 MB)

    PYTHONPATH=. python web/export.py --agent pretrained/humanoid --output_dir web/generated
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import mujoco
import onnx
import torch
from graphs import language_model_graph, transformer_graph
from huggingface_hub.dataclasses import strict

from agent import goals
from agent.artefacts import arguments, runs
from agent.artefacts.arguments import option
from agent.bodies import Body
from agent.bodies.humanoid import HUMANOID, MODEL_PATH
from agent.evaluation import suites
from agent.feedback import pursuit
from agent.language import amounts, limits, program
from agent.language.planner import MAX_ANSWER_TOKENS, MAX_PROMPT_TOKENS, READ, Planner
from agent.models.decision_transformer import PREFIX_TOKENS, STEP_TOKENS, GoalDecisionTransformer
from agent.simulation import curriculum
from agent.simulation.env import env_id
from agent.simulation.task import SMOOTHING_SECONDS


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/humanoid", "folder of the agent that the page shows")
    output_dir: str = option("web/generated", "where the files go")
    planner: bool = option(False, "also export the language model, which takes minutes")


def main(args: Arguments) -> None:
    agent, folder = Path(args.agent), Path(args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    transformer = GoalDecisionTransformer.from_pretrained(agent / "decision_transformer", body=HUMANOID.name)
    tables = code_tables() | {"body": body_table(HUMANOID), "transformer": transformer_table(transformer)}
    shutil.copyfile(MODEL_PATH, folder / "humanoid.xml")
    with torch.inference_mode():
        onnx.save(transformer_graph(transformer, HUMANOID.name), folder / "transformer.onnx")
    (folder / "planner.onnx").unlink(missing_ok=True)  # of an agent exported before
    size = export_planner(Planner.from_pretrained(agent / "planner", HUMANOID.name), folder) if args.planner else 0
    runs.write_json(folder / "tables.json", tables | {"agent": args.agent, "planner_bytes": size})


def code_tables() -> dict:
    """Everything that the page's JavaScript has in common with the Python code, by the names that it has there."""
    names = (
        *("GOAL_VERSION", "GRID_STEP", "GRID", "AXES", "UNITS", "HEIGHTS", "ARMS", "STILL", "RUN_SPEED", "SPEEDS"),
        *("SKILLS", "PLACE_SKILLS", "REASONS", "MAX_GOALS", "AMOUNTS", "ENDS", "DIRECTIONS", "TOKENS", "COMMAND_AXES"),
        *("PLACE_TOLERANCE", "HEADING_TOLERANCE", "ARRIVED", "FACED", "CRUISE", "HEADING_GAIN", "HEADING_RATE"),
        *("LINE_GAIN", "LINE_SPEED", "AIM_GAIN", "AIM", "STAND_TURN", "TURN_GAIN", "TURN_RATE", "WALK_BEARING"),
        *("NEAR", "BRAKE_SECONDS", "ARRIVE_SECONDS"),
    )
    return {
        "goals": {name: getattr(goals, name) for name in names},
        "pursuit": {
            name: getattr(pursuit, name)
            for name in ("STEER_SECONDS", "HOLD_STEPS", "NEAR_PLAN", "PATIENCE_SHARE", "PATIENCE_SECONDS")
        }
        | {"WITHIN": curriculum.WITHIN, "SMOOTHING_SECONDS": SMOOTHING_SECONDS},
        "amounts": {
            **{name: getattr(amounts, name) for name in ("WORD_VALUES", "PARTS", "MULTIPLES", "JOINS", "WHOLE")},
            **{name: getattr(amounts, name) for name in ("UNITS", "SPEED_UNITS", "PER")},
            "DIGITS": script_pattern(amounts.DIGITS),
            "SINGLE": script_pattern(amounts.PARSE_SINGLE.pattern),
            "SPEED": script_pattern(amounts.PARSE_SPEED.pattern),
        },
        "program": {
            "GRAMMAR": script_pattern(program.GRAMMAR),
            "GOAL_PARTS": script_pattern(program.GOAL_PARTS.pattern),
            "PLACE_PARTS": script_pattern(program.PLACE_PARTS.pattern),
            "VELOCITY_PARTS": script_pattern(program.VELOCITY_PARTS.pattern),
            "DEFAULT_DEGREES": program.DEFAULT_DEGREES,
            "DEFAULT_SECONDS": program.DEFAULT_SECONDS,
        },
        "limits": {"MOTIONS": limits.MOTIONS, "TOLERANCE": limits.TOLERANCE},
        "suite": {"EPISODE_SECONDS": suites.EPISODE_SECONDS},
    }


def script_pattern(pattern: str) -> str:
    """A regular expression as JavaScript writes it."""
    return pattern.replace("(?P<", "(?<").replace("\\ ", " ").replace("\\-", "-")


def body_table(body: Body) -> dict:
    """What the page needs to know of a robot."""
    model = body.load_model()
    names = [model.geom(geom).name for geom in range(model.ngeom)]
    return {
        "name": body.name,
        "env_id": env_id(body.name),
        "observation_size": body.observation_size,
        "action_scale": body.action_scale,
        "control_center": body.control_center.tolist(),
        "frame_skip": body.frame_skip,
        "no_autoreset": int(mujoco.mjtDisableBit.mjDSBL_AUTORESET),
        "control_seconds": body.control_seconds,
        "healthy_height": body.healthy_height,
        "start_qpos": body.start_qpos(model).tolist(),
        "reset_noise": body.reset_noise,
        "speed_limits": body.speed_limits,
        "low_speed": body.low_speed,
        "heights": body.heights,
        "arms": body.arms,
        "camera_height": body.camera_height,
        "camera_distance": body.camera_distance,
        "suite_commands": suites.reachable(suites.COMMANDS, body),
        "sides": [next((side for side in ("left", "right") if name.startswith(side)), "middle") for name in names],
    }


def transformer_table(model: GoalDecisionTransformer) -> dict:
    """Sizes of a transformer."""
    config = model.config
    return {
        "context_length": config.context_length,
        "layers": config.n_layer,
        "heads": config.n_head,
        "head_size": config.hidden_size // config.n_head,
        "prefix_tokens": PREFIX_TOKENS,
        "step_tokens": len(STEP_TOKENS),
    }


def export_planner(planner: Planner, folder: Path) -> int:
    """Write planner.onnx, planner_past.bin (keys and values of the tokens before every instruction) and planner.json
    (the tokenizer, and what decoding needs); returns the size of the first in bytes.
    """
    head, tail = planner.chat.frame(READ)
    answer = answer_ids(planner)
    model = planner.model.float()
    with torch.inference_mode():
        # The first tokens have by far the largest activations; they are computed here, in full precision.
        cache = model(input_ids=torch.tensor([head]), use_cache=True).past_key_values
        past = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])
        graph = language_model_graph(model, answer, MAX_PROMPT_TOKENS + MAX_ANSWER_TOKENS)
    (folder / "planner_past.bin").write_bytes(past.numpy().tobytes())
    onnx.save(graph, folder / "planner.onnx")
    tokenizer = json.loads(planner.tokenizer.backend_tokenizer.to_str())["model"]
    pieces = [planner.tokenizer.convert_ids_to_tokens(index) for index in range(len(planner.tokenizer))]
    settings = {
        "past_shape": list(past.shape),
        "tail": tail,
        "answer": answer,
        "end": planner.chat.end,
        "max_text_tokens": MAX_PROMPT_TOKENS - len(head) - len(tail),
        "max_answer_tokens": MAX_ANSWER_TOKENS,
        "least_confidence": planner.least_confidence,
        "pieces": pieces,
        "merges": [" ".join(pair) for pair in tokenizer["merges"]],
    }
    (folder / "planner.json").write_text(json.dumps(settings, ensure_ascii=False))
    return (folder / "planner.onnx").stat().st_size


def answer_ids(planner: Planner) -> list[int]:
    """Ids of the tokens that can stand in an answer: pieces of the words and signs of the grammar, and its end."""
    words = set(re.findall("[a-z]+", program.GRAMMAR)) - {"a-z"}
    signs = set("0123456789.,;:/-'\"° ")
    suffixes = {word[start:] for word in words for start in range(len(word))}
    prefixes = {word[:end] for word in words for end in range(1, len(word) + 1)}
    infixes = {part[:end] for part in suffixes for end in range(1, len(part) + 1)}

    def possible(text: str) -> bool:
        found = re.findall("[a-z]+|[^a-z]", text)
        return bool(found) and all(
            part in signs
            or part
            in (
                infixes
                if len(found) == 1
                else suffixes
                if place == 0
                else prefixes
                if place == len(found) - 1
                else words
            )
            for place, part in enumerate(found)
        )

    texts = planner.tokenizer.batch_decode([[index] for index in range(len(planner.tokenizer))])
    return [index for index, text in enumerate(texts) if index == planner.chat.end or possible(text)]


if __name__ == "__main__":
    arguments.run(main, Arguments)
