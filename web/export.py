"""Write what the page in web/ needs: constants of the Python code, and an agent with its networks as ONNX.

Reads   an agent (finetune_llm.py)
Writes  tables.json (the constants), and a folder of the agent in agents/. It holds a folder for each robot
        (agent.json, robot.xml, transformer.onnx) and, with --planner, the language model with 8-bit weights (140 MB)

    PYTHONPATH=. python web/export.py --agent pretrained/agent --output_dir web/generated
"""

import gzip
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import onnx
import torch
from graphs import language_model_graph, transformer_graph
from huggingface_hub.dataclasses import strict

from agent import goals
from agent.artefacts import arguments, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import Body, find_body
from agent.bodies.body import WITHIN
from agent.evaluation import suites
from agent.feedback import pursuit
from agent.language import amounts, program
from agent.language.planner import MAX_ANSWER_TOKENS, MAX_PROMPT_TOKENS, READ, Planner
from agent.models.decision_transformer import PREFIX_TOKENS, WAVES, GoalDecisionTransformer
from agent.motor_agent import choose_body
from agent.simulation import video
from agent.simulation.task import RewardWeights


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/agent", "folder or Hub repo of the agent")
    body: str = option("", "name of the robot; by default each one that the agent moves")
    output_dir: str = option("web/generated", "where the files go")
    planner: bool = option(False, "also export the language model: 17 s of CPU time")

    def validate_body(self):
        if self.body:
            find_body(self.body)


def main(args: Arguments) -> None:
    agent, folder = hub.agent_folder(args.agent), Path(args.output_dir)
    robots = hub.agent_bodies(agent)
    bodies = [choose_body(agent, args.body, args.agent)] if args.body else robots
    transformers = [
        GoalDecisionTransformer.from_pretrained(agent / "decision_transformer", body=body) for body in bodies
    ]
    xmls = [robot_xml(transformer.body) for transformer in transformers]  # before anything is deleted
    planner = Planner.from_pretrained(agent / "planner", bodies[0]) if args.planner else None
    place = folder / "agents" / re.sub(r"[^\w.@-]", "_", args.agent)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    runs.write_json(folder / "tables.json", code_tables())
    size = export_planner(planner, place) if planner else 0
    for transformer, xml in zip(transformers, xmls, strict=True):
        name = transformer.body.name
        more = {"agent": args.agent, "position": robots.index(name), "planner_bytes": size}
        export_robot(transformer, xml, place / name, more)


def robot_xml(body: Body) -> str:
    """The MJCF of a robot. Raises ValueError if it has none."""
    if body.mjcf is None:
        raise ValueError(f"body {body.name} has no mjcf, which the page needs: see agent/bodies/body.py")
    return body.mjcf()


def export_robot(transformer: GoalDecisionTransformer, xml: str, folder: Path, more: dict) -> None:
    """Write robot.xml, transformer.onnx, and agent.json: the tables of the robot and the transformer, and `more`."""
    body = transformer.body
    folder.mkdir()
    (folder / "robot.xml").write_text(xml)
    with torch.inference_mode():
        onnx.save(transformer_graph(transformer, body.name), folder / "transformer.onnx")
    tables = {"body": body_table(body, xml), "transformer": transformer_table(transformer)}
    runs.write_json(folder / "agent.json", tables | more)


def code_tables() -> dict:
    """The constants that the page shares with the Python code, by name."""
    names = (
        *("GRID_STEP", "GRID", "AXES", "UNITS", "HEIGHTS", "ARMS", "STILL", "RUN_SPEED", "SPEEDS"),
        *("SKILLS", "REASONS", "MAX_GOALS", "AMOUNTS", "DIRECTIONS", "TOKENS", "COMMAND_AXES"),
        *("ARRIVED", "FACED", "CRUISE", "HEADING_GAIN", "HEADING_RATE"),
        *("LINE_GAIN", "LINE_SPEED", "AIM_GAIN", "AIM", "STAND_TURN", "TURN_GAIN", "TURN_RATE", "WALK_BEARING"),
        *("NEAR", "BRAKE_SECONDS", "ARRIVE_SECONDS"),
    )
    return {
        "goals": {name: getattr(goals, name) for name in names},
        "pursuit": {
            name: getattr(pursuit, name)
            for name in ("STEER_SECONDS", "HOLD_STEPS", "NEAR_PLAN", "PATIENCE_SHARE", "PATIENCE_SECONDS")
        }
        | {"WITHIN": WITHIN, "SMOOTHING_SECONDS": RewardWeights.smoothing_seconds},
        "amounts": {
            **{name: getattr(amounts, name) for name in ("WORD_VALUES", "PARTS", "MULTIPLES", "JOINS", "WHOLE")},
            **{name: getattr(amounts, name) for name in ("RATIOS", "UNITS", "SPEED_UNITS", "PER")},
            "DIGITS": script_pattern(amounts.DIGITS),
            "SINGLE": script_pattern(amounts.PARSE_SINGLE.pattern),
            "RATIO": script_pattern(amounts.PARSE_RATIO.pattern),
            "SPEED": script_pattern(amounts.PARSE_SPEED.pattern),
        },
        "program": {
            "GRAMMAR": script_pattern(program.GRAMMAR),
            "GOAL_PARTS": script_pattern(program.GOAL_PARTS.pattern),
            "PLACE_PARTS": script_pattern(program.PLACE_PARTS.pattern),
            "VELOCITY_PARTS": script_pattern(program.VELOCITY_PARTS.pattern),
            "REPEATED_PARTS": script_pattern(program.REPEATED_PARTS.pattern),
            "DEFAULT_DEGREES": program.DEFAULT_DEGREES,
            "DEFAULT_SECONDS": program.DEFAULT_SECONDS,
        },
        "limits": {"MOTIONS": program.MOTIONS, "TOLERANCE": program.TOLERANCE},
        "suite": {"EPISODE_SECONDS": suites.EPISODE_SECONDS},
        "video": {"FRAME_EVERY": video.FRAME_EVERY, "CLIP_SECONDS": video.CLIP_SECONDS},
    }


def script_pattern(pattern: str) -> str:
    """A regular expression as JavaScript writes it."""
    return pattern.replace("(?P<", "(?<").replace("\\ ", " ").replace("\\-", "-")


def body_table(body: Body, xml: str) -> dict:
    """What the page needs to know of a robot, besides its MJCF `xml`."""
    model = mujoco.MjModel.from_xml_string(xml)
    return {
        "name": body.name,
        "observation_size": body.observation_size,
        "action_scale": body.action_scale,
        "control_center": body.control_center.tolist(),
        "frame_skip": body.frame_skip,
        "control_seconds": body.control_seconds,
        "healthy_height": body.healthy_height,
        "start_qpos": body.start_qpos(model).tolist(),
        "reset_noise": body.reset_noise,
        "averages_gyro": body.averages_gyro,
        "speed_limits": body.speed_limits,
        "low_speed": body.low_speed,
        "heights": body.heights,
        "arms": body.arms,
        "camera_height": body.camera_height,
        "camera_distance": body.camera_distance,
        "suite_commands": suites.reachable(suites.COMMANDS, body),
        "parts": parts(model),
    }


def parts(model: mujoco.MjModel) -> list[dict]:
    """The capsules that a robot is drawn with: for each geom that can touch something, the one that fills its bounding
    box best. For a capsule or a sphere, that is the geom itself.

    Each has the number of its `geom` and, in the geom's frame, its `center` [3], the vector from there to the `end`
    [3] of its axis and the `radius`, m; the `side` is left, right or middle.
    """
    solid = (model.geom_contype | model.geom_conaffinity) != 0
    found = []
    for geom in np.flatnonzero(solid & (model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE)):
        center, half = np.split(model.geom_aabb[geom], 2)
        radius = np.sort(half)[:2].mean()
        end = (np.arange(3) == half.argmax()) * (half.max() - radius)
        link = model.body(model.geom_bodyid[geom]).name
        side = next((side for side in ("left", "right") if link.startswith(side)), "middle")
        place = {"center": center.round(6).tolist(), "end": end.round(6).tolist(), "radius": round(radius, 6)}
        found.append({"geom": int(geom), "side": side, **place})
    return found


def transformer_table(model: GoalDecisionTransformer) -> dict:
    """Sizes of a transformer, the tokens that ask an arm to wave, and the angle, rad, of the wave's clock per control
    step.
    """
    config, body = model.config, model.body
    return {
        "context_length": config.context_length,
        "layers": config.n_layer,
        "heads": config.n_head,
        "head_size": config.hidden_size // config.n_head,
        "prefix_tokens": PREFIX_TOKENS,
        "step_tokens": len(config.step_tokens),
        "waves": WAVES,
        "wave_angle": 2 * np.pi * body.wave_hertz * body.control_seconds,
    }


def export_planner(planner: Planner, folder: Path) -> int:
    """Write planner.onnx, planner_past.bin (keys and values of the tokens before every instruction) and
    planner.json.gz (the tokenizer, and what decoding needs); returns the size of the first in bytes.
    """
    prefix, suffix = planner.chat.frame(READ)
    answer = answer_ids(planner)
    model = planner.model.float()
    with torch.inference_mode():
        # The first tokens have by far the largest activations; they are computed here, in full precision.
        cache = model(input_ids=torch.tensor([prefix]), use_cache=True).cache
        past = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])
        graph = language_model_graph(model, answer, MAX_PROMPT_TOKENS + MAX_ANSWER_TOKENS)
    (folder / "planner_past.bin").write_bytes(past.numpy().tobytes())
    onnx.save(graph, folder / "planner.onnx")
    tokenizer = json.loads(planner.tokenizer.backend_tokenizer.to_str())["model"]
    pieces = [planner.tokenizer.convert_ids_to_tokens(index) for index in range(len(planner.tokenizer))]
    settings = {
        "past_shape": list(past.shape),
        "tail": suffix,
        "answer": answer,
        "end": planner.chat.end,
        "max_text_tokens": MAX_PROMPT_TOKENS - len(prefix) - len(suffix),
        "max_answer_tokens": MAX_ANSWER_TOKENS,
        "least_confidence": planner.least_confidence,
        "pieces": pieces,
        "merges": [" ".join(pair) for pair in tokenizer["merges"]],
    }
    (folder / "planner.json.gz").write_bytes(gzip.compress(json.dumps(settings, ensure_ascii=False).encode()))
    return (folder / "planner.onnx").stat().st_size


def answer_ids(planner: Planner) -> list[int]:
    """Ids of the tokens that can stand in an answer: pieces of the words and signs of the grammar, and its end."""
    words = set(re.findall("[a-z]+", program.GRAMMAR))
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
