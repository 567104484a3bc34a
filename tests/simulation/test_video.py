"""Pictures of the body, with and without OpenGL, and video files."""

from dataclasses import replace
from fractions import Fraction

import av
import mujoco
import numpy as np
import pytest

from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID, MODEL_PATH
from agent.simulation import video
from agent.simulation.env import FRAME_SIZE, make_env

LIMP = np.zeros(17, dtype=np.float32)


@pytest.fixture
def figure():
    env = video.StickFigure(make_env(max_episode_steps=100))
    env.reset(seed=0)
    yield env
    env.close()


def test_a_stick_figure_shows_both_sides_of_the_body_and_moves_with_it(figure):
    before = figure.render()
    assert before.shape == (FRAME_SIZE, FRAME_SIZE, 3)
    assert before.dtype == np.uint8
    colors = {tuple(color) for color in before.reshape(-1, 3)}
    assert {(70, 130, 180), (255, 140, 0)} <= colors  # left and right
    for _ in range(30):
        figure.step(LIMP)
    assert (figure.render() != before).any()


# Gymnasium's viewer that could not open complains again when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_opengl_a_stick_figure_is_drawn_and_the_remedy_named(monkeypatch, capsys):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    monkeypatch.setattr("gymnasium.envs.mujoco.mujoco_rendering._ALL_RENDERERS", {})
    env = video.make_rendering_env(max_episode_steps=10)
    env.reset(seed=0)
    assert isinstance(env, video.StickFigure)
    assert env.render().shape == (FRAME_SIZE, FRAME_SIZE, 3)
    assert video.REMEDY in capsys.readouterr().err
    env.close()


def test_a_video_holds_its_frames_in_h264(tmp_path):
    frames = [np.full((64, 64, 3), shade, dtype=np.uint8) for shade in range(0, 250, 25)]
    video.write_video(tmp_path / "clip.mp4", frames, HUMANOID)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(100, 3)
        shades = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(stream)]
    assert np.allclose(shades, range(0, 250, 25), atol=4)


class Limp:
    """An actor that gets a goal, and falls."""

    body = HUMANOID

    def __init__(self):
        self.calls = []

    def reset(self):
        self.calls.append("reset")

    def prompt(self, goal):
        self.calls.append(goal)

    def act(self, observation):
        return LIMP


def test_a_replay_ends_with_a_fall_and_stands_in_the_card(tmp_path):
    (tmp_path / "README.md").write_text("# Limp\n\nIt is.\n\n## Use\n")
    actor = Limp()
    video.film(actor, tmp_path)
    assert actor.calls == ["reset", video.SCENES[0][0], "reset"]
    assert "`replay.mp4` shows it" in (tmp_path / "README.md").read_text()
    with av.open(str(tmp_path / "replay.mp4")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert 5 < frames < 50


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="did not move"):
        video.write_video(tmp_path / "clip.mp4", [], HUMANOID)
    assert not list(tmp_path.iterdir())


def test_a_body_shows_only_what_it_can_do():
    assert video.scenes(HUMANOID) == video.SCENES
    slow = replace(HUMANOID, speed_limits=((-0.6, 1.0), (-0.6, 0.6), (-0.4, 0.4)), gentle_speed=1.0)
    assert [goal.skill for goal, _ in video.scenes(slow)] == ["walk_forward", "walk_forward", "stand"]
    plain = replace(slow, crouch_height=None, arm_joints=(), arm_poses={}, wave_swing=())
    assert [goal.skill for goal, _ in video.scenes(plain)] == ["walk_forward"]


def test_a_replay_that_is_not_watched_to_its_end_closes_its_env(monkeypatch):
    closed = []
    monkeypatch.setattr(video, "make_rendering_env", lambda body: closing(video.StickFigure(make_env()), closed))
    actor = Limp()
    frames = video.perform(actor)
    next(frames)
    frames.close()
    assert closed == [True] and actor.calls[-1] == "reset"


def closing(env, closed):
    env.close = lambda: closed.append(True)
    return env


def test_a_stick_figure_draws_boxes_and_meshes(monkeypatch):
    spec = mujoco.MjSpec.from_file(str(MODEL_PATH))
    spec.add_mesh(name="stone", uservert=[0, 0, 0, 0.3, 0, 0, 0, 0.3, 0, 0, 0, 0.3])
    kinds = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_MESH
    for geom, kind in zip((spec.geom("torso1"), spec.geom("head")), kinds, strict=True):
        geom.type, geom.size = kind, (0.2, 0.2, 0.2)
    spec.geom("head").meshname = "stone"
    monkeypatch.setitem(BODIES, "stony", replace(HUMANOID, name="stony", load_model=spec.compile))
    seen = [(video.StickFigure(make_env(body))) for body in ("humanoid", "stony")]
    pictures = []
    for env in seen:
        env.reset(seed=0)
        pictures.append(env.render())
        env.close()
    assert ((pictures[0] == 255).all(-1) & (pictures[1] != 255).any(-1)).sum() > 100, "the corners of the box"
