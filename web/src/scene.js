// Draws the robot on a floor, with a camera that follows it, and says where the floor was clicked.

import * as three from "three";

import tables from "./tables.js";

const { body } = tables;
const COLORS = { left: "#4a8cc4", right: "#f0932b", middle: "#e3cbac" };
const SKY = "#cfdcea";
const TILES = 60; // meters of floor on a side; it goes with the robot
const CLICK_PIXELS = 5; // a pointer that moved further turned the camera
const FOLLOW = 0.08; // share of the way to the robot that the camera goes with each picture
const TURN = 0.1; // rad that an arrow key turns the camera

export class Scene {
  #camera = new three.PerspectiveCamera(40, 1, 0.1, 60);
  #scene = new three.Scene();
  #parts = [];
  #center = null;
  #azimuth = 2.4; // rad, from the robot to the camera
  #elevation = 0.25;

  // canvas: to draw on; physics: whose body is drawn; onFloor(x, y): called with a place of the floor that was clicked.
  constructor(canvas, physics, onFloor) {
    Object.assign(this, { canvas, physics, onFloor });
    this.renderer = new three.WebGLRenderer({ canvas, antialias: true });
    this.#camera.up.set(0, 0, 1);
    this.#scene.background = new three.Color(SKY);
    this.#scene.fog = new three.Fog(SKY, 8, 24);
    const sun = new three.DirectionalLight("#ffffff", 2);
    sun.position.set(-2, 3, 5);
    this.#scene.add(sun, new three.HemisphereLight("#ffffff", "#8a8f98", 1.6));
    this.floor = new three.Mesh(new three.PlaneGeometry(TILES, TILES), new three.MeshLambertMaterial({ map: checkers() }));
    this.target = new three.Mesh(new three.RingGeometry(0.2, 0.26, 40), new three.MeshBasicMaterial({ color: "#c2410c" }));
    this.target.position.z = 0.005;
    this.target.visible = false;
    this.#scene.add(this.floor, this.target);
    this.#addParts();
    this.#listen();
  }

  // A ring on the floor, or none.
  mark(place) {
    this.target.visible = place !== null;
    if (place) this.target.position.set(...place, this.target.position.z);
  }

  draw() {
    const { geom_xpos: places, geom_xmat: turns } = this.physics.data;
    for (const { geom, mesh, shadow } of this.#parts) {
      const [x, y, z] = places.subarray(3 * geom, 3 * geom + 3);
      const m = turns.subarray(9 * geom, 9 * geom + 9);
      mesh.matrix.set(m[0], m[1], m[2], x, m[3], m[4], m[5], y, m[6], m[7], m[8], z, 0, 0, 0, 1);
      shadow.position.set(x, y, 0.004);
    }
    this.#follow();
    this.#fit();
    this.renderer.render(this.#scene, this.#camera);
  }

  #addParts() {
    const { model, mujoco } = this.physics;
    const { mjGEOM_PLANE, mjGEOM_CAPSULE } = mujoco.mjtGeom;
    const shade = new three.MeshBasicMaterial({ color: "#1b2430", transparent: true, opacity: 0.18, depthWrite: false });
    for (let geom = 0; geom < model.ngeom; geom++) {
      if (model.geom_type[geom] === mjGEOM_PLANE.value) continue;
      const [radius, half] = model.geom_size.subarray(3 * geom, 3 * geom + 2);
      const capsule = model.geom_type[geom] === mjGEOM_CAPSULE.value;
      const shape = capsule ? new three.CapsuleGeometry(radius, 2 * half, 6, 16) : new three.SphereGeometry(radius, 20, 14);
      shape.rotateX(Math.PI / 2); // three's capsules lie along y, MuJoCo's along z
      const mesh = new three.Mesh(shape, new three.MeshLambertMaterial({ color: COLORS[body.sides[geom]] }));
      mesh.matrixAutoUpdate = false;
      const shadow = new three.Mesh(new three.CircleGeometry(1.3 * radius + 0.3 * half, 20), shade);
      this.#scene.add(mesh, shadow);
      this.#parts.push({ geom, mesh, shadow });
    }
  }

  // The camera goes with the robot, without its swaying; when that is put somewhere else, the camera jumps too.
  #follow() {
    const { x, y } = this.physics.pose;
    const far = !this.#center || Math.hypot(x - this.#center[0], y - this.#center[1]) > 1;
    this.#center = far ? [x, y] : [x, y].map((value, axis) => this.#center[axis] + FOLLOW * (value - this.#center[axis]));
    const [cx, cy] = this.#center;
    const flat = body.camera_distance * Math.cos(this.#elevation);
    const height = body.camera_height + body.camera_distance * Math.sin(this.#elevation);
    this.#camera.position.set(cx + flat * Math.cos(this.#azimuth), cy + flat * Math.sin(this.#azimuth), height);
    this.#camera.lookAt(cx, cy, body.camera_height);
    this.floor.position.set(2 * Math.round(cx / 2), 2 * Math.round(cy / 2), 0); // the pattern repeats every 2 m
  }

  // Give the picture as many pixels as the canvas has on the screen.
  #fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = Math.min(devicePixelRatio, 2);
    if (this.canvas.width === Math.floor(width * ratio) && this.canvas.height === Math.floor(height * ratio)) return;
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
    this.#camera.aspect = width / height;
    this.#camera.updateProjectionMatrix();
  }

  #turn(across, up) {
    this.#azimuth += across;
    this.#elevation = Math.min(Math.max(this.#elevation + up, 0.02), 1.4);
  }

  #listen() {
    let moved = 0;
    this.canvas.addEventListener("pointerdown", (event) => {
      moved = 0;
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", ({ buttons, movementX, movementY }) => {
      if (!buttons) return;
      moved += Math.abs(movementX) + Math.abs(movementY);
      this.#turn(-movementX / 150, movementY / 150);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (moved <= CLICK_PIXELS) this.#click(event);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const [across, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
      if (!across && !up) return;
      event.preventDefault();
      this.#turn(TURN * across, TURN * up);
    });
  }

  #click({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const point = new three.Vector2((2 * (clientX - left)) / width - 1, 1 - (2 * (clientY - top)) / height);
    const ray = new three.Raycaster();
    ray.setFromCamera(point.clamp(new three.Vector2(-1, -1), new three.Vector2(1, 1)), this.#camera);
    const [hit] = ray.intersectObject(this.floor);
    if (hit) this.onFloor(hit.point.x, hit.point.y);
  }
}

// Squares of a meter, in two colors.
function checkers() {
  const canvas = new OffscreenCanvas(64, 64);
  const ink = canvas.getContext("2d");
  ink.fillStyle = "#dde4ea";
  ink.fillRect(0, 0, 64, 64);
  ink.fillStyle = "#b7c3cd";
  ink.fillRect(0, 0, 32, 32);
  ink.fillRect(32, 32, 32, 32);
  const texture = new three.CanvasTexture(canvas);
  texture.wrapS = texture.wrapT = three.RepeatWrapping;
  texture.repeat.set(TILES / 2, TILES / 2);
  texture.colorSpace = three.SRGBColorSpace;
  texture.anisotropy = 4;
  return texture;
}
