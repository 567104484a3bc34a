"""publish.py, and what the stages share with it: pushing to a Hub, loading from it, and what goes wrong on the way."""

import re
from types import SimpleNamespace

import hub_server
import pytest
from conftest import contents
from hub_server import Fault
from huggingface_hub import constants
from test_chain import DATASET

import collect_dataset
import publish
from agent.artefacts import hub
from agent.artefacts.arguments import parse_arguments
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

FILES = {"README.md": b"# A policy\n", "config.json": b"{}", "model.safetensors": bytes(range(256)) * 40}
NAME = "me/policy"


def test_blobs_that_repos_share_are_loaded_and_stay(server, made):
    hub.push_folder(made, NAME)
    blob = (hub.folder(NAME) / "model.safetensors").resolve()
    shared = blob.parents[2] / "blobs" / "ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(shared)
    assert contents(hub.folder(NAME)) == FILES and shared.is_file()


def test_many_files_are_one_commit_where_xet_is_installed(server, made, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_api.is_xet_available", lambda: True)
    (made / "model.safetensors").unlink()
    for number in range(260):
        (made / f"{number}.json").write_text(str(number))
    hub.push_folder(made, NAME)
    assert server.repo(NAME).messages == ["initial commit", "Publish"]


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="neither a folder nor a Hub repo"):
        hub.folder("a" * 300)


@pytest.fixture
def made(tmp_path):
    """A folder as a training leaves it."""
    folder = tmp_path / "made"
    for name, content in FILES.items() | {("checkpoint/optimizer.bin", b"pickle"), ("ppo/events.out", b"log")}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


# Publishing


def test_a_publish_is_one_commit_of_the_artefact_alone_and_the_next_one_none(server, made):
    hub.push_folder(made, NAME, private=True, tag="v1")
    repo = server.repo(NAME)
    assert repo.private and repo.messages == ["initial commit", "Publish v1"]
    assert {name: content for name, content in server.files(NAME).items() if name != ".gitattributes"} == FILES
    hub.push_folder(made, NAME, private=True, tag="v1")
    assert len(repo.messages) == 2, "the same files make no commit"

    (made / "config.json").write_text('{"a": 1}')
    (made / "model.safetensors").rename(made / "other.safetensors")
    hub.push_folder(made, NAME)
    assert set(server.files(NAME)) == {".gitattributes", "README.md", "config.json", "other.safetensors"}
    assert server.files(NAME, revision="v1")["config.json"] == b"{}"
    with pytest.raises(ValueError, match=r"me/policy .*has a tag v1 of other files: give another --tag"):
        hub.push_folder(made, NAME, tag="v1")
    assert repo.messages[2:] == ["Publish"], "that is seen before anything is sent"


def test_what_is_asked_to_be_private_never_goes_to_a_public_repo(server, made):
    server.add(NAME, {})
    with pytest.raises(ValueError, match=r"me/policy .*it is public"):
        hub.push_folder(made, NAME, private=True)
    assert not server.files(NAME)


@pytest.mark.parametrize("words", [hub_server.TOKEN, "{home}/secret"])
def test_no_token_or_path_is_published(server, made, words, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (made / "README.md").write_text(f"made with {words.format(home=tmp_path / 'user')}")
    with pytest.raises(ValueError, match=r"README\.md"):
        hub.push_folder(made, NAME)
    assert not server.repos


def test_a_push_that_fails_is_one_line_that_says_how_to_go_on(server, made, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.publish(made, NAME, private=True, tag="v1")
    (line,) = capsys.readouterr().err.splitlines()
    again = f"publish.py --folder {made} --push_to_hub me/policy --private --tag v1"
    assert "401" in line and line.endswith(f"Try again: python {again}")
    assert "hf_wrong" not in line and not server.repos
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    args = parse_arguments(publish.Arguments, again.split()[1:])
    publish.main(args)
    assert capsys.readouterr().out == f"{server.url}/{NAME}/commit/{server.repo(NAME).tags['v1']}\n"
    assert server.repo(NAME).private


def test_a_stage_ends_well_although_its_upload_fails_and_can_be_published_later(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(collect_dataset, "FILM_SECONDS", 0.06)
    MotorPolicy(MotorPolicyConfig(widths=[8])).save_pretrained(tmp_path / "policy")
    places = ["--policy", str(tmp_path / "policy"), "--output_dir", str(tmp_path / "rollouts")]
    server.faults.append(Fault("POST", "/commit/", 500, times=1000))
    collect_dataset.main(parse_arguments(collect_dataset.Arguments, [*DATASET, *places, "--push_to_hub", "me/rows"]))
    line = capsys.readouterr().err.splitlines()[-1]
    assert "is complete, but not published: me/rows cannot be pushed to (500: injected)" in line
    server.faults.clear()
    publish.main(parse_arguments(publish.Arguments, line.split("publish.py ")[1].split()))
    assert {"README.md", "replay.mp4", "summary.json"} <= server.files("me/rows", "datasets").keys()


def test_a_card_that_the_hub_cannot_read_is_one_line(server, made, capsys):
    (made / "README.md").write_text("---\nlicense: [\n---\n# A policy\n")
    hub.publish(made, NAME)
    (line,) = capsys.readouterr().err.splitlines()
    assert "me/policy cannot be pushed to (400: while parsing" in line and not server.repo(NAME).messages[1:]


@pytest.mark.parametrize("flags", [[], ["--folder", "x"], ["--push_to_hub", "me/x"], ["--folder", "x", "--tag", "v1"]])
def test_what_or_where_to_publish_is_asked_for(flags):
    with pytest.raises(ValueError, match="--push_to_hub"):
        parse_arguments(publish.Arguments, flags)


# Loading


def test_a_repo_is_loaded_at_a_revision_and_says_which(server, made):
    hub.push_folder(made, NAME, tag="v1")
    (made / "config.json").write_text('{"a": 1}')
    hub.push_folder(made, NAME)
    first, newest = hub.folder(f"{NAME}@v1"), hub.folder(NAME)
    assert contents(first) == FILES and contents(newest) == FILES | {"config.json": b'{"a": 1}'}
    assert hub.folder(NAME, revision="v1") == first == hub.folder(f"{NAME}@{first.name}")
    assert hub.origin(f"{NAME}@v1", first) == f"{NAME}@{server.repo(NAME).tags['v1']}"
    assert hub.origin("/home/me/runs/ppo", made) == "ppo"
    with pytest.raises(ValueError, match=r"me/policy@v2 .*404"):
        hub.folder(f"{NAME}@v2")


def test_without_a_connection_the_cache_is_used_and_it_says_so(server, made, capsys, monkeypatch):
    hub.push_folder(made, NAME)
    online = hub.folder(NAME)
    capsys.readouterr()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.folder(NAME) == online
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"the Hub cannot be reached: taking {NAME} at {online.name[:7]} from the cache"
    with pytest.raises(ValueError, match=r"me/other .* not in the cache"):
        hub.folder("me/other")


def test_a_cache_that_was_damaged_or_cut_is_not_loaded_without_a_connection(server, made, monkeypatch):
    (made / "copy.json").write_bytes(FILES["config.json"])  # the cache has one file for both
    hub.push_folder(made, NAME)
    damage = hub.folder(NAME) / "copy.json"
    damage.resolve().write_bytes(b"[]")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"me/policy .*not in the cache"):
        hub.folder(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert contents(hub.folder(NAME)) == FILES | {"copy.json": b"{}"}


def test_a_snapshot_is_hashed_once(server, made, monkeypatch):
    hub.push_folder(made, NAME)
    hashed = []
    has_hash = hub.has_hash
    monkeypatch.setattr(hub, "has_hash", lambda file, name: hashed.append(file) or has_hash(file, name))
    hub.folder(NAME)
    assert len(hashed) == len(set(hashed)) == len(FILES)


def test_where_nobody_answers_the_cache_is_used_at_once(server, made, monkeypatch):
    hub.push_folder(made, NAME)
    online = hub.folder(NAME)
    monkeypatch.setattr(hub, "RETRY_SECONDS", (1000,))
    server.shutdown()
    server.server_close()
    assert hub.folder(NAME) == online


def test_what_the_disk_has_no_room_for_is_not_begun(server, monkeypatch):
    server.add(NAME, FILES)
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=rf"{NAME} needs .* GB, the disk has"):
        hub.folder(NAME)
    assert not [request for request in server.requests if "/resolve/" in request]


def test_a_private_repo_needs_the_token(server, made, monkeypatch):
    hub.push_folder(made, NAME, private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match=r"401.*hf auth login"):
        hub.folder(NAME)
    assert contents(hub.folder(NAME, token=hub_server.TOKEN)) == FILES


# Faults

PUSH_FAULTS = [
    Fault("POST", "/api/repos/create", 500),
    Fault("POST", "/api/repos/create", 429),
    Fault("POST", "/commit/", 409),
    Fault("POST", "/commit/", 500),
    Fault("POST", "/commit/", "cut"),
    Fault("POST", "/commit/", "lost"),
    Fault("PUT", "/lfs/", "cut"),
    Fault("PUT", "/lfs/", 500),
    Fault("POST", "/objects/batch", 429),
]


@pytest.mark.parametrize("fault", PUSH_FAULTS, ids=lambda fault: f"{fault.what} at {fault.part}")
def test_a_push_survives(fault, server, made):
    server.faults.append(fault)
    hub.push_folder(made, NAME)
    assert not fault.times and contents(hub.folder(NAME)) == FILES
    assert server.repo(NAME).messages == ["initial commit", "Publish"], "one commit, however often it was tried"


def test_a_push_that_was_cut_goes_on_where_it_was(server, made):
    """What has arrived is not sent again, by the next try or by the next push."""
    (made / "replay.mp4").write_bytes(b"a video")
    server.faults.append(Fault("POST", "/commit/", "cut", times=1000))
    with pytest.raises(ValueError, match="disconnected"):
        hub.push_folder(made, NAME)
    assert not server.repo(NAME).messages[1:]
    server.faults.clear()
    hub.push_folder(made, NAME)
    assert server.files(NAME)["replay.mp4"] == b"a video" and server.repo(NAME).messages[1:] == ["Publish"]
    sent = [request for request in server.requests if request.startswith("PUT /lfs/")]
    assert len(sent) == len(set(sent)) == 2, "the weights and the video, once"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again_ever_later(status, server, made, monkeypatch):
    waits = []
    monkeypatch.setattr(hub, "RETRY_SECONDS", (0.01, 0.02, 0.04))
    monkeypatch.setattr(hub.time, "sleep", waits.append)
    server.faults.append(Fault("POST", "/api/repos/create", status, times=2))
    hub.push_folder(made, NAME)
    assert [wait for wait in waits if wait in hub.RETRY_SECONDS] == [0.01, 0.02]


LASTING_PUSH_FAULTS = [
    (Fault("POST", "/preupload/", 401), "401: .*hf auth login"),
    (Fault("POST", "/api/repos/create", 429), "429"),
    (Fault("POST", "/api/repos/create", "page"), "the answer is not from the Hub"),
    (Fault("POST", "/preupload/", 403), "403: .*hf auth login"),
    (Fault("POST", "/commit/", "cut"), "disconnected"),
    (Fault("PUT", "/lfs/", 404), "404"),
    (Fault("POST", "/commit/", 409), "409"),
    (Fault("POST", "/commit/", 500), "500"),
]


@pytest.mark.parametrize(("fault", "message"), LASTING_PUSH_FAULTS, ids=lambda each: getattr(each, "what", ""))
def test_a_push_fault_that_lasts_is_one_line_and_nothing_half_is_published(fault, message, server, made, capsys):
    server.add(NAME, {"README.md": b"# Before\n"})
    server.faults.append(Fault(fault.method, fault.part, fault.what, times=1000))
    hub.publish(made, NAME, tag="v1")
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.search(rf"is complete, but not published: {NAME} cannot be pushed to \(.*{message}", line)
    assert server.files(NAME) == {"README.md": b"# Before\n"} and not server.repo(NAME).tags


PULL_FAULTS = [
    Fault("GET", "/api/models/me/policy", 500),
    Fault("GET", "/api/models/me/policy", 429),
    Fault("GET", "/tree/", 503),
    Fault("GET", "/tree/", "page"),
    Fault("HEAD", "model.safetensors", 500),
    Fault("GET", "model.safetensors", 500),
    Fault("GET", "model.safetensors", "cut"),
    Fault("GET", "config.json", "lost"),
    Fault("HEAD", "model.safetensors", "etag"),
    Fault("HEAD", "config.json", "etag"),
    Fault("HEAD GET", "model.safetensors", "truncated", times=2),
]


@pytest.mark.parametrize("fault", PULL_FAULTS, ids=lambda fault: f"{fault.what} at {fault.part}")
def test_a_download_survives(fault, server):
    server.add(NAME, FILES)
    server.faults += [Fault(method, fault.part, fault.what) for method in fault.method.split()]
    assert contents(hub.folder(NAME)) == FILES
    assert not any(each.times for each in server.faults)


LASTING = [
    (Fault("GET", "/api/models", 401), "401: .*hf auth login"),
    (Fault("GET", "/api/models", 404), "404"),
    (Fault("GET", "/api/models", 500), "500: .* not in the cache"),
    (Fault("GET", "/api/models", "lost"), "not in the cache"),
    (Fault("GET", "/api/models", "page"), "the answer is not from the Hub.* not in the cache"),
    (Fault("HEAD", "model.safetensors", "etag"), r"damaged model\.safetensors"),
    (Fault("GET", "model.safetensors", "truncated"), "not in the cache"),
]


@pytest.mark.parametrize(("fault", "message"), LASTING, ids=lambda each: getattr(each, "what", ""))
def test_a_fault_that_lasts_is_one_line_and_nothing_half_written_is_loaded(fault, message, server):
    server.add(NAME, FILES)
    server.faults.append(Fault(fault.method, fault.part, fault.what, times=1000))
    with pytest.raises(ValueError, match=rf"(?s)^{NAME} .*{message}"):
        hub.folder(NAME)
    server.faults.clear()
    assert contents(hub.folder(NAME)) == FILES
