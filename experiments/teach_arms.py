"""Teach arm poses to a policy with joint position targets, by imitation.

    PYTHONPATH=. python experiments/teach_arms.py runs/g1_commands runs/g1_arms

Poses after the two folders are the only ones that it teaches; other poses stay as they are:

    PYTHONPATH=. python experiments/teach_arms.py runs/g1_postures runs/g1_arms_up up

PPO hardly finds a pose that is radians away from the resting arms (docs/log.md). Here the policy imitates a copy of
itself whose arm targets lead the arms to their pose at constant speed. PPO continues from there and teaches it to keep
its balance meanwhile: configs/ppo/g1_postures.yaml. Takes five minutes on two cores.

Shapes: N bodies, S body state, A actions, M arm joints.
"""

import copy
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import trange

from agent.artefacts import hub
from agent.bodies import Body
from agent.goals import ARMS
from agent.models.motor_policy import CRITIC, MotorPolicy
from agent.simulation.curriculum import Curriculum
from agent.simulation.vector_env import GoalVectorEnv

UPDATES, BODIES, STEPS = 250, 256, 16  # per update: STEPS of BODIES, in EPOCHS minibatches
EPOCHS, LEARNING_RATE = 4, 5e-4
LEAD = 0.15  # rad, by which a target is ahead of its joint: at 75 Nm/rad against a damping of 2 Nms/rad, 6 rad/s
AWAY = 0.6  # rad; arms this far from their pose are led there, whatever the pose
# How often each step counts in the statistics that normalize the observations, which come from millions of steps with
# arms at rest. If the statistics adapted only later, in PPO, the normalized angles of the arms would move away from
# those at which the poses were learned (docs/log.md).
SEEN = 20
CURRICULUM = Curriculum(arms_share=0.7, low_share=0.2, push_speed=0.3, stride_share=0.1, recovery_share=0.1)


def main(source: str, output_dir: str, *poses: str) -> None:
    unknown = set(poses) - set(ARMS[1:])
    if unknown:
        raise SystemExit(f"{sorted(unknown)[0]!r} is no arm pose: give some of {', '.join(ARMS[1:])}, or none for all")
    taught = [ARMS.index(pose) for pose in poses or ARMS[1:]]
    folder = hub.folder(source)
    student = MotorPolicy.from_pretrained(source)
    body = student.body
    if body.action_kind != "position" or not body.arm_joints:
        raise SystemExit(f"body {body.name} has no position targets for arms: nothing to teach")
    teacher = copy.deepcopy(student).requires_grad_(False).eval()
    optimizer = torch.optim.Adam(student.parameters(), LEARNING_RATE)
    envs = GoalVectorEnv(BODIES, body=body.name, curriculum=CURRICULUM, training_model=True)
    observations, _ = envs.reset(seed=0)
    for update in (bar := trange(UPDATES)):
        rows = []
        for _ in range(STEPS):
            states, commands = np.split(observations, [body.observation_size], axis=1)
            seen = [torch.from_numpy(each) for each in (states, commands, envs.phase.astype(np.float32))]
            labels = label(teacher, body, taught, *seen)
            with torch.no_grad():
                own, std = student(*seen)
            share = update / UPDATES  # of the student in the executed actions
            actions = share * own + (1 - share) * labels + 0.5 * std * torch.randn_like(own)
            observations, *_ = envs.step(body.to_control(actions.numpy()))
            rows.append((*seen, labels))
        batch = [torch.cat(column) for column in zip(*rows, strict=True)]
        student.update_statistics(SEEN * student.moments(batch[0]))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - share)
        for places in torch.randperm(len(batch[0])).tensor_split(EPOCHS):
            *seen, labels = (column[places] for column in batch)
            mean, std = student(*seen)
            loss = ((mean - labels) / std.detach()).square().sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
        bar.set_postfix_str(f"loss {loss.item():.2f}")
    student.save_pretrained(output_dir)
    if (folder / CRITIC).is_file():
        shutil.copytree((folder / CRITIC).parent, Path(output_dir) / CRITIC.parent, dirs_exist_ok=True)


@torch.no_grad()
def label(
    teacher: MotorPolicy,
    body: Body,
    taught: Sequence[int],
    states: torch.Tensor,
    commands: torch.Tensor,
    phase: torch.Tensor,
) -> torch.Tensor:
    """Actions [N, A] in ±1 of the teacher. Arms that are far from their pose, or whose pose is one of those `taught`
    (indices in ARMS), get targets that lead them to it.

    The teacher has not seen such arms, so it is shown arms at rest, and commands without arm poses.
    """
    joints, drives = len(body.joints), [body.actuated.index(joint) for joint in body.arm_joints]
    angles = 5 + np.array(body.joint_indices(body.arm_joints)) - 7  # where they are in a state
    codes = commands[:, 4].long().numpy()
    now, rest = states[:, angles].numpy(), body.arm_angles[0]
    pose = body.arm_angles[codes] + body.arm_swings[codes] * np.sin(2 * np.pi * phase[:, 1:].numpy())
    away = np.isin(codes, taught) | (np.abs(now - pose).max(1) > AWAY)
    plain, shown = commands.clone(), states.clone()
    plain[away, 4] = 0
    rows = torch.from_numpy(np.flatnonzero(away))[:, None]
    shown[rows, angles] = torch.from_numpy(rest).float()
    shown[rows, angles + joints + 6] = 0.0
    actions = teacher(shown, plain, phase)[0].clamp(-1, 1)
    targets = now + np.clip(pose - now, -LEAD, LEAD)
    arms = ((targets - body.control_center[drives]) / body.scale[drives]).clip(-1, 1)
    actions[rows, drives] = torch.from_numpy(arms[away]).float()
    return actions


if __name__ == "__main__":
    main(*sys.argv[1:])
