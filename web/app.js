// Draws the robot and its velocity. Runs once, when Gradio has made `element`; `props.value` is then replaced by
// app.py 17 times a second with what the body did since.

const picture = element.querySelector(".picture");
const rows = [...element.querySelectorAll("tbody tr")];
const pace = element.querySelector(".pace");
const { radii, sides } = props;

// The poses are shown a little late, so that they are there in time however unsteadily they come.
const DELAY = 0.12; // s
const WINDOW = 10; // s of velocity
const RANGES = [[-1, 3.2], [-0.8, 0.8], [-1.4, 1.4]]; // m/s, m/s, rad/s

const COLORS = {
  left: ["#a9d3f5", "#4a8cc4", "#1d4668"],
  right: ["#ffdca0", "#f79a2a", "#9c5200"],
  middle: ["#fff6ea", "#e3cbac", "#86694b"],
};

// ---- the picture: a perspective drawing in two dimensions, which needs no graphics card ----

const DISTANCE = 4.2, ELEVATION = 0.22, HEIGHT = 0.85; // m, rad, m above the ground that the camera looks at
const TILES = 14; // m of ground on every side of the body
const SUN = [0.35, -0.25]; // how far a shadow falls for a meter of height
let azimuth = 2.1; // rad, where the camera looks
let center = null; // what it looks at

function camera(width, height) {
  const focal = 1.25 * height;
  const [ca, sa, ce, se] = [Math.cos(azimuth), Math.sin(azimuth), Math.cos(ELEVATION), Math.sin(ELEVATION)];
  return {
    horizon: height * 0.52 - focal * Math.tan(ELEVATION),
    // A point in the world -> its place in the picture, pixels per meter there, and how far it is.
    see([x, y, z]) {
      const [dx, dy, dz] = [x - center[0], y - center[1], z - HEIGHT];
      const ahead = ca * dx + sa * dy;
      const far = DISTANCE + ce * ahead - se * dz;
      const scale = focal / far;
      return { x: width / 2 + scale * (sa * dx - ca * dy), y: height * 0.52 - scale * (se * ahead + ce * dz), scale, far };
    },
  };
}

function draw(pose) {
  const [width, height] = [picture.width, picture.height];
  const ink = picture.getContext("2d");
  const { see, horizon } = camera(width, height);
  const shade = (...stops) => {
    const gradient = ink.createLinearGradient(0, horizon, 0, height);
    stops.forEach(([at, color]) => gradient.addColorStop(at, color));
    return gradient;
  };

  const sky = ink.createLinearGradient(0, 0, 0, horizon);
  sky.addColorStop(0, "#8fb8e3");
  sky.addColorStop(1, "#e8eef4");
  ink.fillStyle = sky;
  ink.fillRect(0, 0, width, horizon);
  ink.fillStyle = shade([0, "#e8eef4"], [0.35, "#b9c6cf"], [1, "#93a3ad"]);
  ink.fillRect(0, horizon, width, height - horizon);
  ink.fillStyle = shade([0, "rgba(60,80,95,0)"], [0.25, "rgba(60,80,95,.25)"], [1, "rgba(60,80,95,.45)"]);
  ink.fill(tiles(see));

  const shadows = new Path2D();
  const parts = pose.map(([ax, ay, az, bx, by, bz], part) => {
    const ground = [[ax + SUN[0] * az, ay + SUN[1] * az, 0], [bx + SUN[0] * bz, by + SUN[1] * bz, 0]].map(see);
    addCapsule(shadows, ...ground, 0.8 * radii[part]);
    return { part, ends: [see([ax, ay, az]), see([bx, by, bz])] };
  });
  ink.fillStyle = "rgba(25,35,50,.35)";
  ink.fill(shadows);

  parts.sort((one, other) => other.ends[0].far + other.ends[1].far - one.ends[0].far - one.ends[1].far);
  for (const { part, ends } of parts) {
    const path = new Path2D();
    addCapsule(path, ...ends, radii[part]);
    ink.fillStyle = roundness(ink, ...ends, radii[part], COLORS[sides[part]]);
    ink.fill(path);
    ink.lineWidth = height / 480;
    ink.strokeStyle = "rgba(20,25,35,.55)";
    ink.stroke(path);
  }
}

// Every other square meter of the ground around the body.
function tiles(see) {
  const path = new Path2D();
  const [x, y] = center.map(Math.floor);
  for (let i = -TILES; i < TILES; i++) {
    for (let j = -TILES; j < TILES; j++) {
      if ((x + i + y + j) % 2) continue;
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([a, b]) => see([x + i + a, y + j + b, 0]));
      if (corners.some(({ far }) => far < 0.3)) continue; // behind the camera
      corners.forEach((corner, k) => (k ? path.lineTo(corner.x, corner.y) : path.moveTo(corner.x, corner.y)));
    }
  }
  return path;
}

// The outline of a ball that is swept from one point to another.
function addCapsule(path, from, to, radius) {
  const [r, s] = [radius * from.scale, radius * to.scale];
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length <= Math.abs(r - s) + 0.01) {
    path.moveTo(from.x + r, from.y);
    path.arc(from.x, from.y, Math.max(r, s), 0, 2 * Math.PI);
    return;
  }
  const along = Math.atan2(to.y - from.y, to.x - from.x);
  const spread = Math.acos((r - s) / length);
  path.moveTo(from.x + r * Math.cos(along + spread), from.y + r * Math.sin(along + spread));
  path.arc(from.x, from.y, r, along + spread, along - spread + 2 * Math.PI);
  path.arc(to.x, to.y, s, along - spread, along + spread);
  path.closePath();
}

// Light from the upper left, across the axis.
function roundness(ink, from, to, radius, [light, middle, dark]) {
  const [x, y, r] = [(from.x + to.x) / 2, (from.y + to.y) / 2, (radius * (from.scale + to.scale)) / 2];
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  let [nx, ny] = [(from.y - to.y) / length, (to.x - from.x) / length];
  if (0.4 * nx + 0.8 * ny > 0) [nx, ny] = [-nx, -ny];
  const gradient = length < 1
    ? ink.createRadialGradient(x - 0.35 * r, y - 0.45 * r, 0.1 * r, x, y, r)
    : ink.createLinearGradient(x + nx * r, y + ny * r, x - nx * r, y - ny * r);
  [[0, light], [0.35, middle], [1, dark]].forEach(([at, color]) => gradient.addColorStop(at, color));
  return gradient;
}

// ---- the velocity ----

const past = []; // {seconds, command, velocity}

function drawVelocity() {
  const now = past.at(-1);
  rows.forEach((row, axis) => {
    row.querySelector(".asked").textContent = now.command[axis].toFixed(1);
    row.querySelector(".measured").textContent = now.velocity[axis].toFixed(2);
    const canvas = row.querySelector("canvas");
    const { width, height } = fit(canvas);
    const ink = canvas.getContext("2d");
    const [low, high] = RANGES[axis];
    const place = (seconds, value) => [
      width * (1 + (seconds - now.seconds) / WINDOW),
      height * (1 - (value - low) / (high - low)),
    ];
    const line = (color, thickness, points) => {
      ink.beginPath();
      points.forEach(([seconds, value]) => ink.lineTo(...place(seconds, value)));
      [ink.strokeStyle, ink.lineWidth] = [color, thickness];
      ink.stroke();
    };
    ink.clearRect(0, 0, width, height);
    line("rgba(128,128,128,.6)", 1, [[now.seconds - WINDOW, 0], [now.seconds, 0]]);
    line("#e07b00", 2 * devicePixelRatio, past.map((each) => [each.seconds, each.command[axis]]));
    line("#3b82c4", 2 * devicePixelRatio, past.map((each) => [each.seconds, each.velocity[axis]]));
  });
}

// Give a canvas as many pixels as it has on the screen.
function fit(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  return canvas;
}

// ---- the clock ----

const poses = []; // {seconds, pose}, those still to be shown and the one before
let clock = 0; // s, what is shown
let before = 0; // ms
let shown = { since: 0, frames: 0, clock: 0 };

watch("value", () => {
  const moment = props.value;
  moment.poses.forEach((pose, k) => {
    const seconds = moment.seconds - (moment.poses.length - 1 - k) * moment.every;
    const parts = radii.map((_, part) => pose.slice(6 * part, 6 * part + 6).map((millimeters) => millimeters / 1000));
    poses.push({ seconds, pose: parts });
  });
  picture.dataset.seconds = moment.seconds;
  past.push(moment);
  while (past[0].seconds < moment.seconds - WINDOW) past.shift();
  drawVelocity();
});

function tick(now) {
  if (!element.isConnected) return;
  requestAnimationFrame(tick);
  if (poses.length < 2) return;
  const aim = poses.at(-1).seconds - DELAY;
  clock += (now - before) / 1000;
  clock += Math.abs(aim - clock) > 0.5 ? aim - clock : 0.05 * (aim - clock);
  before = now;
  while (poses.length > 2 && poses[1].seconds < clock) poses.shift();
  const [from, to] = poses;
  const share = Math.min(1, (clock - from.seconds) / (to.seconds - from.seconds));
  const pose = from.pose.map((part, k) => part.map((value, i) => value + share * (to.pose[k][i] - value)));
  follow(pose[0]);
  fit(picture);
  draw(pose);
  count(now, share < 1);
}

// The camera goes with the body, without its swaying; when it is put somewhere else the camera jumps too.
function follow([ax, ay, , bx, by]) {
  const body = [(ax + bx) / 2, (ay + by) / 2];
  const far = center && Math.hypot(body[0] - center[0], body[1] - center[1]);
  center = center && far < 1 ? center.map((value, i) => value + 0.1 * (body[i] - value)) : body;
}

// How steady it is, to be seen: pictures that differ from the one before, and simulated seconds for a real one.
function count(now, differs) {
  shown.frames += differs;
  if (now - shown.since < 1000) return;
  const seconds = (now - shown.since) / 1000;
  [picture.dataset.fps, picture.dataset.pace] = [shown.frames / seconds, (clock - shown.clock) / seconds];
  pace.textContent = `${Math.round(shown.frames / seconds)} pictures a second, ` +
    `at ${((clock - shown.clock) / seconds).toFixed(2)} × real time`;
  shown = { since: now, frames: 0, clock };
}

// ---- the camera's hand ----

picture.addEventListener("pointermove", ({ buttons, movementX }) => {
  if (buttons) azimuth -= movementX / 150;
});
picture.addEventListener("keydown", ({ key }) => {
  azimuth += { ArrowLeft: 0.1, ArrowRight: -0.1 }[key] ?? 0;
});
requestAnimationFrame(tick);
