"""A small Hub for the tests: the HTTP interface that huggingface_hub, datasets and transformers talk to, in memory.

It answers what the real one answers for repos, commits, LFS objects and files, checks the token, keeps private repos
private, and goes wrong on request: `hub.faults` lists what the next matching requests meet instead of an answer.
"""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKEN = "hf_" + "testtoken" * 3
LARGE = (".safetensors", ".parquet", ".mp4", ".png", ".bin")  # what the real Hub keeps in LFS, by default


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose path has `part` in it.

    `what` is a status to answer with, or: "cut" in the middle of the body; "lost", done but never answered;
    "truncated", half the file as if it were all of it; "etag", a wrong one; "page", what a proxy shows instead.
    """

    method: str
    part: str
    what: int | str
    times: int = 1


@dataclass
class File:
    content: bytes
    large: bool

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_oid


@dataclass
class Repo:
    private: bool
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, File], message: str, branch: str = "main") -> str:
        listing = repr([self.messages, message, sorted((path, file.etag) for path, file in files.items())])
        oid = hashlib.sha1(listing.encode()).hexdigest()
        self.commits[oid], self.branches[branch] = files, oid
        self.messages.append(message)
        return oid

    def resolve(self, revision: str) -> str | None:
        return (
            self.branches.get(revision) or self.tags.get(revision) or (revision if revision in self.commits else None)
        )


class Hub(ThreadingHTTPServer):
    """The server and all that it holds. Tests put repos and faults into it, and look at what has come."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to use this Hub and a cache of its own in `home`."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def repo(self, name: str, kind: str = "models") -> Repo:
        return self.repos[kind, name]

    def files(self, name: str, kind: str = "models", revision: str = "main") -> dict[str, bytes]:
        repo = self.repos[kind, name]
        return {path: file.content for path, file in repo.commits[repo.resolve(revision)].items()}

    def add(self, name: str, files: dict[str, bytes], kind: str = "models", private: bool = False) -> str:
        """Put a repo here as it is, whatever is in it, and return its commit."""
        repo = self.repos.setdefault((kind, name), Repo(private))
        return repo.commit({path: File(content, path.endswith(LARGE)) for path, content in files.items()}, "add")

    def take_fault(self, method: str, path: str) -> int | str | None:
        for fault in self.faults:
            if fault.times and fault.method == method and fault.part in path:
                fault.times -= 1
                return fault.what
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self):
        self.handle_request()

    def do_GET(self):
        self.handle_request()

    def do_POST(self):
        self.handle_request()

    def do_PUT(self):
        self.handle_request()

    def log_message(self, *args):
        pass

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        path, self.query = unquote(url.path), parse_qs(url.query)
        self.server.requests.append(f"{self.command} {path}")
        self.fault = self.server.take_fault(self.command, path)
        length = int(self.headers.get("Content-Length") or 0)
        if self.fault == "cut" and self.command in ("POST", "PUT"):
            self.rfile.read(length // 2)
            return self.hang_up()
        self.body = self.rfile.read(length)
        if isinstance(self.fault, int):
            return self.send_failure(self.fault, "injected")
        if self.fault == "page":
            return self.send_body(200, b"<html>Log in to this network</html>", {"Content-Type": "text/html"})
        authorization = self.headers.get("Authorization")
        if authorization not in (None, f"Bearer {TOKEN}"):
            return self.send_failure(401, "Invalid credentials in Authorization header")
        self.known = authorization is not None
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command in method:
                return answer(self, **{name: each for name, each in found.groupdict().items() if each is not None})
        return self.send_failure(404, f"no such page: {path}")

    # Answers

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def send_body(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        if self.fault == "lost":
            return self.hang_up()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            cut = self.fault == "cut"
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.wfile.flush()
                self.hang_up()
        return None

    def send_json(self, value: object, status: int = 200, **headers: str) -> None:
        self.send_body(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def send_failure(self, status: int, message: str, code: str = "") -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.send_json({"error": message}, status, **headers)

    # Questions

    def find(self, kind: str, name: str) -> Repo | None:
        """The repo, or None after the answer that there is none: a private one is not there for strangers."""
        repo = self.server.repos.get((kind, name))
        if repo is None or (repo.private and not self.known):
            self.send_failure(404 if self.known else 401, "Repository not found", "RepoNotFound")
            return None
        return repo

    def find_commit(self, kind: str, name: str, revision: str) -> tuple[Repo, str] | None:
        repo = self.find(kind, name)
        if repo is None:
            return None
        oid = repo.resolve(revision)
        if oid is None:
            self.send_failure(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            return None
        return repo, oid

    def may_write(self) -> bool:
        if not self.known:
            self.send_failure(401, "Invalid username or password.")
        return self.known

    def whoami(self) -> None:
        if self.may_write():
            self.send_json({"type": "user", "name": "me", "orgs": []})

    def create(self) -> None:
        if not self.may_write():
            return
        wanted = json.loads(self.body)
        kind, name = f"{wanted.get('type', 'model')}s", f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        url = f"{self.server.url}/{'' if kind == 'models' else f'{kind}/'}{name}"
        if (kind, name) in self.server.repos:
            return self.send_json({"error": "You already created this repo", "url": url}, 409)
        repo = self.server.repos[kind, name] = Repo(wanted.get("visibility") == "private")
        repo.commit({".gitattributes": File(b"*.safetensors filter=lfs\n", False)}, "initial commit")
        return self.send_json({"url": url, "name": name})

    def validate_yaml(self) -> None:
        content = json.loads(self.body)["content"]
        front = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        try:
            errors = [] if isinstance(yaml.safe_load(front[1]) if front else {}, dict) else ["no mapping"]
        except yaml.YAMLError as error:
            errors = [str(error)]
        answer = {"errors": [{"message": error} for error in errors], "warnings": []}
        self.send_json(answer, 400 if errors else 200)

    def info(self, kind: str, name: str, revision: str = "main") -> None:
        if found := self.find_commit(kind, name, revision):
            repo, oid = found
            siblings = [{"rfilename": path} for path in sorted(repo.commits[oid])]
            self.send_json(
                {"id": name, "sha": oid, "siblings": siblings, "private": repo.private, "tags": [], "gated": False}
            )

    def tree(self, kind: str, name: str, revision: str, folder: str = "") -> None:
        if not (found := self.find_commit(kind, name, revision)):
            return
        repo, oid = found
        folder = folder.strip("/")
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        prefix = f"{folder}/" if folder else ""
        rows, folders = [], set()
        for path, file in sorted(repo.commits[oid].items()):
            if not path.startswith(prefix):
                continue
            parents = path.removeprefix(prefix).split("/")[:-1]
            folders |= {prefix + "/".join(parents[:depth]) for depth in range(1, len(parents) + 1)}
            if recursive or not parents:
                rows.append(describe(path, file))
        shown = folders if recursive else {each for each in folders if "/" not in each.removeprefix(prefix)}
        if folder and not rows and not shown:
            return self.send_failure(404, f"{folder} does not exist", "EntryNotFound")
        return self.send_json(
            [{"type": "directory", "path": each, "oid": "0" * 40, "size": 0} for each in shown] + rows
        )

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        if not (found := self.find_commit(kind, name, revision)):
            return
        form = self.body.decode()
        asked = json.loads(form)["paths"] if form.startswith("{") else parse_qs(form).get("paths", [])
        files = found[0].commits[found[1]]
        rows = [describe(path, files[path]) for path in asked if path in files]
        directories = [path for path in asked if any(each.startswith(f"{path.strip('/')}/") for each in files)]
        self.send_json(rows + [{"type": "directory", "path": each, "oid": "0" * 40} for each in directories])

    def refs(self, kind: str, name: str) -> None:
        if repo := self.find(kind, name):
            self.send_json(
                {
                    "branches": [
                        {"name": each, "ref": f"refs/heads/{each}", "targetCommit": oid}
                        for each, oid in repo.branches.items()
                    ],
                    "converts": [],
                    "tags": [
                        {"name": each, "ref": f"refs/tags/{each}", "targetCommit": oid}
                        for each, oid in repo.tags.items()
                    ],
                }
            )

    def commits(self, kind: str, name: str, revision: str) -> None:
        if found := self.find_commit(kind, name, revision):
            history = zip(found[0].commits, found[0].messages, strict=True)
            rows = [{"id": oid, "title": text, "message": "", "authors": [], "date": DATE} for oid, text in history]
            self.send_json(rows[::-1])

    def point(self, kind: str, name: str, what: str, revision: str) -> None:
        """Make a branch named `revision`, or a tag of `revision`."""
        if not self.may_write() or not (repo := self.find(kind, name)):
            return
        wanted = json.loads(self.body or b"{}")
        pointers, pointer = (repo.branches, revision) if what == "branch" else (repo.tags, wanted.get("tag"))
        if pointer in pointers:
            return self.send_failure(409, f"{pointer} exists already")
        start = wanted.get("startingPoint", "main") if what == "branch" else revision
        pointers[pointer] = repo.resolve(start)
        return self.send_json({})

    def preupload(self, kind: str, name: str, revision: str) -> None:
        if not self.may_write() or not (found := self.find_commit(kind, name, revision)):
            return
        there = found[0].commits[found[1]]
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": there[file["path"]].etag if file["path"] in there else None,
            }
            for file in json.loads(self.body)["files"]
        ]
        self.send_json({"files": files})

    def lfs_batch(self, name: str) -> None:
        if not self.may_write():
            return
        objects = [
            {"oid": each["oid"], "size": each["size"]}
            | (
                {}
                if each["oid"] in self.server.objects
                else {"actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}}
            )
            for each in json.loads(self.body)["objects"]
        ]
        self.send_json({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self.send_failure(400, "the object is not what its id says")
        self.server.objects[oid] = self.body
        return self.send_json({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        if not self.may_write() or not (found := self.find_commit(kind, name, revision)):
            return
        repo, oid = found
        files, message = dict(repo.commits[oid]), ""
        for line in self.body.splitlines():
            operation = json.loads(line)
            key, value = operation["key"], operation["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), False)
            elif key == "lfsFile":
                if value["oid"] not in self.server.objects:
                    return self.send_failure(400, f"{value['path']} was never uploaded")
                files[value["path"]] = File(self.server.objects[value["oid"]], True)
            elif key == "deletedFile":
                files.pop(value["path"])
            else:
                files = {path: file for path, file in files.items() if not path.startswith(value["path"])}
        oid = repo.commit(files, message, revision)
        return self.send_json({"commitOid": oid, "commitUrl": f"{self.server.url}/{name}/commit/{oid}"})

    def resolve(self, name: str, revision: str, path: str, kind: str | None = None) -> None:
        if not (found := self.find_commit(kind.strip("/") if kind else "models", name, revision)):
            return
        repo, oid = found
        file = repo.commits[oid].get(path)
        if file is None:
            return self.send_body(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid})
        content = file.content[: len(file.content) // 2] if self.fault == "truncated" else file.content
        etag = "0" * len(file.etag) if self.fault == "etag" else file.etag
        headers = {"X-Repo-Commit": oid, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if file.large:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self.send_body(200, content, headers)
        first, last = int(asked[1]), int(asked[2] or len(content) - 1)
        if first >= len(content):
            return self.send_body(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.send_body(206, content[first : last + 1], headers)


def describe(path: str, file: File) -> dict:
    row = {"type": "file", "path": path, "oid": file.git_oid, "size": len(file.content)}
    lfs = {"lfs": {"oid": file.sha256, "size": len(file.content), "pointerSize": 100}} if file.large else {}
    return row | lfs | {"lastCommit": {"id": "0" * 40, "title": "", "date": DATE}}


DATE = "2026-01-01T00:00:00.000Z"
REPO = r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)"
REVISION = r"/(?P<revision>[^/]+)"
ROUTES = [
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate_yaml),
    ("GET", REPO, Handler.info),
    ("GET", f"{REPO}/revision{REVISION}", Handler.info),
    ("GET", f"{REPO}/tree{REVISION}(?P<folder>/.*)?", Handler.tree),
    ("POST", f"{REPO}/paths-info{REVISION}", Handler.paths_info),
    ("GET", f"{REPO}/refs", Handler.refs),
    ("GET", f"{REPO}/commits{REVISION}", Handler.commits),
    ("POST", f"{REPO}/(?P<what>branch|tag){REVISION}", Handler.point),
    ("POST", f"{REPO}/preupload{REVISION}", Handler.preupload),
    ("POST", f"{REPO}/commit{REVISION}", Handler.commit),
    ("POST", r"/(?:datasets/|spaces/)?(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", Handler.lfs_put),
    (
        "HEAD GET",
        rf"/(?P<kind>datasets/|spaces/)?(?P<name>[^/]+/[^/]+)/resolve{REVISION}/(?P<path>.+)",
        Handler.resolve,
    ),
]


@contextmanager
def serving():
    """A running Hub with nothing in it."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()
    thread.join()
