"""Serve the page of web/, and add what needs a server: loading other agents and drawing clips.

Reads   web/dist (make web), the agent of --agent, and agents that the page asks for
Writes  only temporary files

    python app.py --agent pretrained/agent
"""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import uvicorn
from huggingface_hub.dataclasses import strict
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from agent.artefacts import arguments, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import Body, find_body
from agent.simulation import video

HERE = Path(__file__).parent
BUILT, EXPORT = HERE / "web" / "dist", HERE / "web" / "export.py"
HOST, PORTS = "127.0.0.1", range(7860, 7960)
HEADERS = [
    ("cross-origin-embedder-policy", "require-corp"),  # with the next one: lets the language model use all cores
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-cache"),  # the page may be rebuilt
]
LONGEST_NAME = 500  # bytes


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/agent", "folder or Hub repo of the first agent")
    body: str = option("", "name of the robot; by default the agent's first")
    port: int = option(0, f"port of the page; 0: the first free one from {PORTS[0]} on")

    def validate_limits(self):
        if self.body:
            find_body(self.body)
        if self.port > 65535:
            raise ValueError(f"port={self.port} is not a port: give one from 1 to 65535, or 0 for the first free one")


def main(args: Arguments) -> None:
    hub.agent_folder(args.agent)
    if not (BUILT / "agents.json").is_file():
        raise ValueError("the page is not built, there is no web/dist/agents.json: run make web")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the temporary folder is removed
    with listen(args.port) as listener, tempfile.TemporaryDirectory() as folder:
        agents = Agents(Path(folder))
        agents.first = anyio.run(agents.find, args.agent, args.body)
        print(f"The page is at http://{HOST}:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(site(agents), headers=HEADERS, log_level="warning", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])


def listen(port: int) -> socket.socket:
    """A socket at `port`, or at the first free port of PORTS. Raises ValueError if none can be used."""
    for number in [port] if port else PORTS:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, number))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            reason = error.strerror
    if not port:
        raise ValueError(f"none of the ports {PORTS[0]} to {PORTS[-1]} can be used ({reason}): give a --port")
    raise ValueError(f"port={port} cannot be used ({reason}): give another, or 0 for the first free one")


class Agents:
    """The agents of the page: those that were built with it, and those that are exported later.

    Args:
        exported: folder for the latter, laid out like web/dist.
    """

    def __init__(self, exported: Path):
        self.exported, self.first = exported, ""
        self._exporting = anyio.Lock()

    def listed(self) -> list[dict[str, Any]]:
        """Folder, name, robot and the robot's position of each agent, beginning with `first`."""
        found: dict[str, dict[str, Any]] = {}
        for root in (BUILT / "agents", self.exported / "agents"):
            for file in sorted(root.glob("*/*/agent.json")):
                tables, folder = runs.read_json(file), file.parent.relative_to(root).as_posix()
                if "position" not in tables:
                    raise ValueError(f"{file} is of an older version of the page: run make web")
                found[folder] = {
                    "folder": folder,
                    "agent": tables["agent"],
                    "body": tables["body"]["name"],
                    "position": tables["position"],
                }
        first = found.get(self.first, {}).get("agent")
        return sorted(
            found.values(),
            key=lambda each: (each["folder"] != self.first, each["agent"] != first, each["agent"], each["position"]),
        )

    async def find(self, name: str, body: str = "") -> str:
        """Folder of an agent and its robot. A missing one is exported first.

        Raises:
            ValueError: there is no such agent, or it does not move this robot.
        """
        name = str(Path(name))
        async with self._exporting:
            found = self._folders(name, body)
            if not found:
                await self._export(name, body)
                found = self._folders(name, body)
        return found[0]

    def _folders(self, name: str, body: str) -> list[str]:
        listed = self.listed()
        return [each["folder"] for each in listed if each["agent"] == name and body in ("", each["body"])]

    async def _export(self, name: str, body: str) -> None:
        await anyio.to_thread.run_sync(hub.agent_folder, name)  # raises early if there is no such agent
        if importlib.util.find_spec("onnx") is None:
            raise ValueError("onnx is not installed, so no agent can be exported: make web")
        flags = [f"--agent={name}", f"--body={body}", f"--output_dir={self.exported}", "--planner=true"]
        done = await anyio.run_process(
            [sys.executable, str(EXPORT), *flags],
            check=False,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(HERE)},
        )
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines() or ["it was stopped"]
            raise ValueError(lines[-1].removeprefix(f"{EXPORT.name}: "))


def site(agents: Agents) -> Starlette:
    """The page, its agents and its requests. A ValueError is answered with status 400 and its message."""

    async def list_agents(request: Request) -> Response:
        return JSONResponse({"server": True, "agents": agents.listed()})

    async def find_agent(request: Request) -> Response:
        name = (await content(request, LONGEST_NAME)).decode(errors="replace")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{name} is outside of this project: give a folder of this project, or a Hub repo")
        return PlainTextResponse(await agents.find(name))

    async def draw_clip(request: Request) -> Response:
        body = find_body(request.path_params["body"])
        poses = await content(request, most_poses(body) * pose_bytes(body))
        clip = await anyio.to_thread.run_sync(draw, body, poses, limiter=one_clip)
        return Response(clip, media_type="video/mp4")

    one_clip = anyio.CapacityLimiter(1)
    files = StaticFiles(directory=BUILT, html=True)
    files.all_directories.insert(0, agents.exported)
    return Starlette(
        routes=[
            Route("/agents.json", list_agents),
            Route("/agents", find_agent, methods=["POST"]),
            Route("/clips/{body}", draw_clip, methods=["POST"]),
            Mount("/", files),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        exception_handlers={ValueError: refuse},
    )


async def content(request: Request, most: int) -> bytes:
    """The posted bytes. Raises ValueError for more than `most` bytes, and for requests from another site."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise ValueError("only the page itself may ask for this")
    posted = b""
    async for chunk in request.stream():
        posted += chunk
        if len(posted) > most:
            raise ValueError(f"more than {most} bytes were sent: send less")
    return posted


def pose_bytes(body: Body) -> int:
    """Bytes of MuJoCo's positions [7 + J], as 32-bit floats."""
    return 4 * (7 + len(body.joints))


def most_poses(body: Body) -> int:
    return round(video.CLIP_SECONDS / (video.FRAME_EVERY * body.control_seconds))


def draw(body: Body, posted: bytes) -> bytes:
    """An MP4 of poses [T, 7 + J], posted as 32-bit floats FRAME_EVERY control steps apart.

    Raises:
        ValueError: the bytes are not such poses.
    """
    if len(posted) % pose_bytes(body):
        raise ValueError(f"{len(posted)} bytes were sent: send {pose_bytes(body)} for each pose of {body.name}")
    poses = np.frombuffer(posted, "<f4").reshape(-1, 7 + len(body.joints)).astype(float)
    if not np.isfinite(poses).all():
        raise ValueError("a pose is not finite: send finite numbers")
    return video.mp4(video.draw(body, poses), body)


async def refuse(request: Request, error: Exception) -> Response:
    return PlainTextResponse(arguments.one_line(error), status_code=400)


if __name__ == "__main__":
    arguments.run(main, Arguments)
