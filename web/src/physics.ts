// One body in MuJoCo's WebAssembly build. As agent/simulation/physics.py and env.py set it up.

import type { DoubleBuffer, MainModule, MjData, MjModel } from "@mujoco/mujoco";

import type { Pose } from "./geometry.ts";
import { headingObservation, headingOf } from "./heading.ts";
import tables from "./tables.ts";

const { body } = tables;
const DIVERGED_SPEED = 1e3; // no body reaches it: beyond it, even a finite simulation has diverged

// What the package declares as `any`.
export interface Data extends MjData {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly ctrl: Float64Array;
  readonly geom_xpos: Float64Array;
  readonly geom_xmat: Float64Array;
}

export class Physics {
  readonly mujoco: MainModule;
  readonly model: MjModel;
  readonly data: Data;
  #gyro: DoubleBuffer; // angular velocity as it is observed, rad/s

  // xml: the robot's model.
  constructor(mujoco: MainModule, xml: string) {
    this.mujoco = mujoco;
    this.model = mujoco.MjModel.from_xml_string(xml);
    // MuJoCo would restart a diverged simulation silently; we want to see it.
    this.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET.value;
    this.data = new mujoco.MjData(this.model);
    this.#gyro = new mujoco.DoubleBuffer(3);
    this.reset();
  }

  // Put the body at its start, with the noise that its envs have.
  reset() {
    const noise = () => body.reset_noise * (2 * Math.random() - 1);
    this.setState(
      body.start_qpos.map((value) => value + noise()),
      Array.from({ length: this.model.nv }, noise),
    );
  }

  setState(qpos: number[], qvel: number[]): void {
    this.mujoco.mj_resetData(this.model, this.data);
    this.data.qpos.set(qpos);
    this.data.qvel.set(qvel);
    this.mujoco.mj_forward(this.model, this.data);
    this.#observeGyro();
  }

  // Advance by one control step under an action.
  step(action: Float32Array): void {
    const before = [...this.data.qpos.subarray(3, 7)];
    this.data.ctrl.set(action.map((value, actuator) => value + body.control_center[actuator]));
    for (let count = 0; count < body.frame_skip; count++) this.mujoco.mj_step(this.model, this.data);
    this.#observeGyro(before);
  }

  // The angular velocity now, or its mean since an orientation `before`.
  #observeGyro(before?: number[]): void {
    const gyro: Float64Array = this.#gyro.GetView();
    if (before && body.averages_gyro) {
      this.mujoco.mju_subQuat(this.#gyro, [...this.data.qpos.subarray(3, 7)], before);
      gyro.forEach((turn, axis) => (gyro[axis] = turn / body.control_seconds));
    } else gyro.set(this.data.qvel.subarray(3, 6));
  }

  get observation(): Float32Array {
    const { qpos, qvel } = this.data;
    return headingObservation(qpos, [...qvel.subarray(0, 3), ...this.#gyro.GetView(), ...qvel.subarray(6)]);
  }

  get fell(): boolean {
    const [low, high] = body.healthy_height;
    const { qpos, qvel } = this.data;
    const sane = qpos.every(Number.isFinite) && qvel.every((value) => Math.abs(value) < DIVERGED_SPEED);
    return !sane || qpos[2] <= low || qpos[2] >= high;
  }

  // Add `speed` m/s to the whole body, in a direction in rad counter-clockwise from where it faces.
  shove(speed: number, direction: number): void {
    const { qpos, qvel } = this.data;
    const angle = headingOf(qpos) + direction;
    qvel[0] += speed * Math.cos(angle);
    qvel[1] += speed * Math.sin(angle);
  }

  // Where the torso is in the plane and how it faces, in MuJoCo's world.
  get pose(): Pose {
    const { qpos } = this.data;
    return { x: qpos[0], y: qpos[1], heading: headingOf(qpos) };
  }
}
