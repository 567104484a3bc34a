"""Pictures of the body: an env that renders, with or without OpenGL, and H.264 files that play everywhere."""

import itertools
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import gymnasium
import mujoco
import numpy as np
from PIL import Image, ImageDraw

from agent.artefacts import cards, runs
from agent.goals import Goal
from agent.simulation.env import CONTROL_SECONDS, MAX_EPISODE_STEPS, humanoid, make_env, yaw

FRAME_EVERY = 2  # control steps: 33 frames a second
FRAMES_PER_SECOND = Fraction(1 / (FRAME_EVERY * CONTROL_SECONDS)).limit_denominator(1000)
SIZE = 480
PIXELS_PER_METER = 150
# What a replay shows, goal after goal.
SHOWN = [Goal.from_skill(skill) for skill in ("walk_forward", "turn_left", "run_forward", "stand")]
SHOWN_STEPS = 100  # of each, 1.5 seconds
STRIP_FRAMES, STRIP_SIZE, CAPTION_HEIGHT = 8, 180, 32  # of a strip, in pixels
REMEDY = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"


def make_rendering_env(max_episode_steps: int) -> gymnasium.Env:
    """`make_env("rgb_array")` where OpenGL works, and a stick figure drawn in plain pixels where it does not."""
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("MUJOCO_GL", "egl")
    env = make_env("rgb_array", max_episode_steps)
    env.reset(seed=0)
    model = humanoid(env).model
    model.vis.quality.offsamples = model.vis.quality.shadowsize = 0  # six times as fast in software
    try:
        env.render()
    except Exception as error:  # every OpenGL backend fails in its own way
        env.close()
        print(
            f"no OpenGL ({type(error).__name__}), so a stick figure is drawn; for pictures: {REMEDY}",
            file=sys.stderr,
        )
        return StickFigure(make_env(None, max_episode_steps))
    return env


class StickFigure(gymnasium.Wrapper):
    """Draws the bones of the body from the side, without OpenGL."""

    render_mode = "rgb_array"

    def render(self) -> np.ndarray:
        """A picture [SIZE, SIZE, 3] uint8."""
        model, data = humanoid(self).model, humanoid(self).data
        picture = Image.new("RGB", (SIZE, SIZE), "white")
        draw = ImageDraw.Draw(picture)
        angle = float(yaw(data.qpos)) - np.pi / 5  # a little from the front
        side = np.array([np.cos(angle), np.sin(angle)])
        ground = SIZE - 60

        def pixel(point: np.ndarray) -> tuple[float, float]:
            across = (point[:2] - data.qpos[:2]) @ side
            return SIZE / 2 + PIXELS_PER_METER * across, ground - PIXELS_PER_METER * point[2]

        draw.line([(0, ground), (SIZE, ground)], fill="gray", width=2)
        for meter in np.arange(-3, 4) - (data.qpos[:2] @ side) % 1:
            draw.line(
                [(SIZE / 2 + PIXELS_PER_METER * meter, ground), (SIZE / 2 + PIXELS_PER_METER * meter, ground + 12)],
                fill="gray",
                width=2,
            )
        for geom in range(model.ngeom):
            radius, half = model.geom_size[geom, :2]
            color = "steelblue" if model.geom(geom).name.startswith("left") else "darkorange"
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
                axis = data.geom_xmat[geom].reshape(3, 3)[:, 2] * half
                ends = [pixel(data.geom_xpos[geom] + axis), pixel(data.geom_xpos[geom] - axis)]
                draw.line(ends, fill=color, width=round(2 * radius * PIXELS_PER_METER * 0.6))
            elif model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE:
                x, y = pixel(data.geom_xpos[geom])
                r = radius * PIXELS_PER_METER
                draw.ellipse([x - r, y - r, x + r, y + r], fill=color)
        return np.asarray(picture)


def draw(positions: Iterable[np.ndarray]) -> Generator[np.ndarray]:
    """Pictures [SIZE, SIZE, 3] uint8 of the body in these positions of MuJoCo's [24]."""
    env = make_rendering_env(max_episode_steps=1)
    inner = humanoid(env)
    try:
        for qpos in positions:
            inner.set_state(qpos, np.zeros(inner.model.nv))
            yield np.asarray(env.render())
    finally:
        env.close()


def film(actor: Any, folder: Path) -> None:
    """Write the replay of the artefact in `folder`, whose actor it is, up to a fall, and show it in the card."""
    env = make_rendering_env(MAX_EPISODE_STEPS)
    observation, _ = env.reset(seed=0)
    actor.reset()
    frames: list[np.ndarray] = []
    for step in range(len(SHOWN) * SHOWN_STEPS):
        if step % SHOWN_STEPS == 0:
            actor.prompt(SHOWN[step // SHOWN_STEPS])
        if step % FRAME_EVERY == 0:
            frames.append(np.asarray(env.render()))
        observation, _, fell, *_ = env.step(actor.act(observation))
        if fell:
            break
    env.close()
    actor.reset()
    write_video(folder / cards.REPLAY, frames)
    cards.show_replay(folder)


def write_strip(path: str | Path, frames: Sequence[np.ndarray], captions: Sequence[str]) -> None:
    """Write STRIP_FRAMES of the frames [H, W, 3], evenly spaced, side by side as a PNG, each with its caption."""
    places = np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames))).round().astype(int)
    strip = Image.new("RGB", (STRIP_SIZE * len(places), STRIP_SIZE + CAPTION_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    for number, place in enumerate(places):
        strip.paste(Image.fromarray(frames[place]).resize((STRIP_SIZE, STRIP_SIZE)), (number * STRIP_SIZE, 0))
        draw.text((number * STRIP_SIZE + 4, STRIP_SIZE + 2), captions[place], fill="black")
    with runs.replacing(path) as beside:
        strip.save(beside, format="PNG", optimize=True)


def write_video(path: str | Path, frames: Iterable[np.ndarray]) -> None:
    """Write RGB frames [H, W, 3] as H.264 (yuv420p) MP4, whole or not at all."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"there is nothing to show in {path}: the agent did not move")
    with (
        runs.replacing(path) as beside,
        av.open(str(beside), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"crf": "23"})
        stream.height, stream.width, stream.pix_fmt = *first.shape[:2], "yuv420p"
        for frame in itertools.chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
