// Draws the robot with WebGL.

import * as three from "three";

import type { Physics } from "./physics.ts";
import type { Part } from "./tables.ts";
import tables from "./tables.ts";
import { FLOOR_COLORS, MARK_COLOR, SHADOW_COLOR, SIDE_COLORS, SKY_COLOR, View, endsOf } from "./view.ts";
import type { OnFloor } from "./view.ts";

const UP = new three.Vector3(0, 1, 0); // along which three's capsules lie
const TILES = 60; // meters of floor on a side; it goes with the robot

export class Scene extends View {
  readonly renderer: three.WebGLRenderer;
  readonly floor: three.Mesh;
  readonly ring: three.Mesh;
  #scene = new three.Scene();
  #camera: three.PerspectiveCamera | null = null;
  #parts: { part: Part; mesh: three.Mesh; shadow: three.Mesh }[];

  constructor(canvas: HTMLCanvasElement, physics: Physics, onFloor: OnFloor) {
    super(canvas, physics, onFloor);
    this.renderer = new three.WebGLRenderer({ canvas, antialias: true });
    this.#scene.background = new three.Color(SKY_COLOR);
    this.#scene.fog = new three.Fog(SKY_COLOR, 8, 24);
    const sun = new three.DirectionalLight("#ffffff", 2);
    sun.position.set(-2, 3, 5);
    this.floor = new three.Mesh(
      new three.PlaneGeometry(TILES, TILES),
      new three.MeshLambertMaterial({ map: checkers() }),
    );
    this.ring = new three.Mesh(
      new three.RingGeometry(0.2, 0.26, 40),
      new three.MeshBasicMaterial({ color: MARK_COLOR }),
    );
    this.#scene.add(sun, new three.HemisphereLight("#ffffff", "#8a8f98", 1.6), this.floor, this.ring);
    this.#parts = tables.body.parts.map((part) => ({ part, mesh: solid(part), shadow: shadow(part) }));
    for (const { mesh, shadow } of this.#parts) this.#scene.add(mesh, shadow);
  }

  draw() {
    const { geom_xpos: places, geom_xmat: turns } = this.physics.data;
    for (const { part, mesh, shadow } of this.#parts) {
      const [x, y, z] = places.subarray(3 * part.geom, 3 * part.geom + 3);
      const m = turns.subarray(9 * part.geom, 9 * part.geom + 9);
      mesh.matrix.set(m[0], m[1], m[2], x, m[3], m[4], m[5], y, m[6], m[7], m[8], z, 0, 0, 0, 1);
      const [from, to] = endsOf(part, this.physics.data);
      shadow.position.set((from[0] + to[0]) / 2, (from[1] + to[1]) / 2, 0.004);
    }
    this.ring.visible = this.place !== null;
    if (this.place) this.ring.position.set(...this.place, 0.006);
    this.follow();
    // The floor's pattern repeats every 2 m.
    const [x, y] = this.center.map((value) => 2 * Math.round(value / 2));
    this.floor.position.set(x, y, 0);
    this.renderer.render(this.#scene, this.#aim());
  }

  // The camera, which looks at the robot.
  #aim(): three.PerspectiveCamera {
    const { target, position, degrees } = this.camera;
    const [width, height, ratio] = this.pixels;
    if (!this.#camera || this.canvas.width !== width || this.canvas.height !== height) {
      this.renderer.setPixelRatio(ratio);
      this.renderer.setSize(this.canvas.clientWidth, this.canvas.clientHeight, false);
      this.#camera = new three.PerspectiveCamera(degrees, width / height, 0.1, 60);
      this.#camera.up.set(0, 0, 1);
    }
    this.#camera.position.fromArray(position);
    this.#camera.lookAt(...target);
    return this.#camera;
  }
}

function solid({ radius, center, end, side }: Part): three.Mesh {
  const axis = new three.Vector3(...end);
  const half = axis.length();
  const shape = half ? new three.CapsuleGeometry(radius, 2 * half, 6, 16) : new three.SphereGeometry(radius, 20, 14);
  if (half) shape.applyQuaternion(new three.Quaternion().setFromUnitVectors(UP, axis.divideScalar(half)));
  shape.translate(...center);
  const mesh = new three.Mesh(shape, new three.MeshLambertMaterial({ color: SIDE_COLORS[side] }));
  mesh.matrixAutoUpdate = false;
  return mesh;
}

function shadow({ radius, end }: Part): three.Mesh {
  const shade = new three.MeshBasicMaterial({
    color: SHADOW_COLOR,
    transparent: true,
    opacity: 0.18,
    depthWrite: false,
  });
  return new three.Mesh(new three.CircleGeometry(1.3 * radius + 0.3 * Math.hypot(...end), 20), shade);
}

// Squares of a meter, in two colors.
function checkers(): three.Texture {
  const canvas = new OffscreenCanvas(64, 64);
  const ink = canvas.getContext("2d");
  if (!ink) throw new Error("this browser draws no pictures");
  [ink.fillStyle] = FLOOR_COLORS;
  ink.fillRect(0, 0, 64, 64);
  ink.fillStyle = FLOOR_COLORS[1];
  ink.fillRect(0, 0, 32, 32);
  ink.fillRect(32, 32, 32, 32);
  const texture = new three.CanvasTexture(canvas);
  texture.wrapS = texture.wrapT = three.RepeatWrapping;
  texture.repeat.set(TILES / 2, TILES / 2);
  texture.colorSpace = three.SRGBColorSpace;
  texture.anisotropy = 4;
  return texture;
}
