"""Film sentences on every robot of an agent, side by side, as .mp4 or .gif.

    PYTHONPATH=. python experiments/side_by_side.py pretrained/agent runs/side_by_side.mp4
    PYTHONPATH=. python experiments/side_by_side.py pretrained/agent docs/replay.gif "walk 2 metres, then wave"

Prints the outcome of each sentence for each robot. When one robot is done, its last frame is shown until all are done.
"""

import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agent.artefacts import hub, runs
from agent.motor_agent import MotorAgent
from agent.simulation import video

SENTENCES = (
    "walk forward 2 metres",
    "run forward for 3 seconds",
    "walk backwards one metre",
    "take a big sidestep of 80 cm to the left",
    "turn right by 90 degrees",
    "crouch, walk a metre, then stand up",
    "go to the spot 2 metres ahead and 1 metre left, then wave",
    "walk forward with your arms out for 3 seconds",
    "walk a curve to the left for 4 seconds",
    "walk 1.5 metres, turn around, then come back and face the way you started",
)
GIF_WIDTH, GIF_EVERY, GIF_COLORS = 400, 4, 32  # pixels, frames, colors
CAPTION_HEIGHT = 40  # pixels


def main(name: str, output: str, *sentences: str) -> None:
    agents = [MotorAgent.from_pretrained(name, body) for body in hub.agent_bodies(hub.agent_folder(name))]
    slowest = max((agent.body for agent in agents), key=lambda body: body.control_seconds)
    frame_seconds = video.FRAME_EVERY * slowest.control_seconds
    frames = []
    for sentence in sentences or SENTENCES:
        films = [film(agent, sentence, frame_seconds) for agent in agents]
        lasts = [each[-1] for each in films]
        for pictures in zip_longest(*films):
            row = [last if picture is None else picture for picture, last in zip(pictures, lasts, strict=True)]
            frames.append(captioned(np.concatenate(row, axis=1), sentence))
    if output.endswith(".gif"):
        write_gif(output, frames[::GIF_EVERY], GIF_EVERY * frame_seconds)
    else:
        video.write_video(output, frames, slowest)


def film(agent: MotorAgent, sentence: str, frame_seconds: float) -> list[np.ndarray]:
    """Frames of an agent that follows a sentence, `frame_seconds` apart."""
    env = video.make_rendering_env(agent.body.name)
    env.reset(seed=0)
    result = agent.run(sentence, env)
    env.close()
    if result.program.refused:
        raise SystemExit(result.feedback)
    print(f"{agent.body.name}: {sentence}: {result.feedback}")
    own = video.FRAME_EVERY * agent.body.control_seconds
    count = round(len(result.frames) * own / frame_seconds)
    return [result.frames[min(round(number * frame_seconds / own), len(result.frames) - 1)] for number in range(count)]


def captioned(frame: np.ndarray, text: str) -> np.ndarray:
    """The frame [H, W, 3] with a line of text below it."""
    height, width, _ = frame.shape
    picture = Image.new("RGB", (width, height + CAPTION_HEIGHT), "white")
    picture.paste(Image.fromarray(frame))
    draw = ImageDraw.Draw(picture)
    draw.text((width / 2, height + CAPTION_HEIGHT / 2), text, "black", ImageFont.load_default(20), anchor="mm")
    return np.asarray(picture)


def write_gif(path: str, frames: list[np.ndarray], seconds: float) -> None:
    """Write frames [H, W, 3], each shown for `seconds`, as a small GIF."""
    height, width, _ = frames[0].shape
    size = GIF_WIDTH, round(GIF_WIDTH * height / width)
    first, *others = [
        Image.fromarray(frame).resize(size).quantize(GIF_COLORS, dither=Image.Dither.NONE) for frame in frames
    ]
    with runs.replacing(Path(path)) as new:
        first.save(new, "GIF", save_all=True, append_images=others, duration=round(1000 * seconds), loop=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
