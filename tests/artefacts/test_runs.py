"""The folder of a run: whole or not at all, and curves that go on where they stopped."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

from agent.artefacts import runs


@pytest.fixture(params=["file", "folder"])
def versions(request, tmp_path):
    """Write, or read, a version at a path: of a file, and of a folder with two files."""

    def write(path: Path, text: str) -> None:
        if request.param == "file":
            path.write_text(text)
        else:
            path.mkdir()
            (path / "first").write_text(text)
            (path / "second").write_text(text)

    def read(path: Path) -> str:
        if request.param == "file":
            return path.read_text()
        first, second = (path / "first").read_text(), (path / "second").read_text()
        assert first == second
        return first

    return tmp_path / "deep" / "artefact", write, read


def test_a_new_version_takes_the_place_of_the_old_one_and_leaves_nothing_else(versions):
    path, write, read = versions
    assert runs.newest(path) is None
    for text in ("one", "two", "three"):
        with runs.replacing(path) as new:
            write(new, text)
            assert not path.exists() or read(path) != text
        assert read(path) == text and runs.newest(path) == path
    assert os.listdir(path.parent) == [path.name]


def test_an_error_while_writing_leaves_the_old_version(versions):
    path, write, read = versions
    with runs.replacing(path) as new:
        write(new, "one")
    with pytest.raises(OSError, match="disk full"), runs.replacing(path) as new:
        write(new, "two")
        raise OSError("disk full")
    assert read(path) == "one"
    with runs.replacing(path) as new:
        write(new, "three")
    assert read(path) == "three"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("moment", range(8))
def test_stopped_at_any_moment_a_whole_version_is_left(versions, monkeypatch, moment):
    """Every change of the file system may be the last one before the power goes."""
    path, write, read = versions
    with runs.replacing(path) as new:
        write(new, "one")

    class PowerGone(BaseException):
        pass

    left = moment

    def maybe_the_last(change):
        def changed(*args, **kwargs):
            nonlocal left
            if left == 0:
                raise PowerGone
            left -= 1
            return change(*args, **kwargs)

        return changed

    for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (runs.shutil, "rmtree"), (os, "fsync")):
        monkeypatch.setattr(owner, name, maybe_the_last(getattr(owner, name)))
    with contextlib.suppress(PowerGone), runs.replacing(path) as new:
        write(new, "two")
    monkeypatch.undo()

    found = runs.newest(path)
    assert found is not None and read(found) in ("one", "two")
    with runs.replacing(path) as new:
        write(new, "three")
    assert read(path) == "three" and runs.newest(path) == path
    assert os.listdir(path.parent) == [path.name]


def run_code(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run code that imports runs.py without the rest of the package, which takes seconds."""
    alone = os.environ | {"PYTHONPATH": str(ROOT / "agent" / "artefacts")}
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, env=alone, capture_output=True, text=True, check=False)


KILLED_BETWEEN_THE_RENAMES = """
import os, signal, sys
from pathlib import Path
import runs

rename = Path.rename
def rename_and_die(self, target):
    rename(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.rename = rename_and_die
with runs.replacing(sys.argv[1]) as new:
    new.mkdir()
    (new / "weights").write_text("new")
"""


def test_killed_between_its_renames_the_old_version_is_found(tmp_path):
    path = tmp_path / "checkpoint"
    path.mkdir()
    (path / "weights").write_text("old")
    assert run_code(KILLED_BETWEEN_THE_RENAMES, path).returncode == -signal.SIGKILL
    assert not path.exists()
    assert (runs.newest(path) / "weights").read_text() == "old"


@pytest.fixture
def sealed(tmp_path):
    """A folder with a manifest: weights, a config, a part in a folder, and a card."""
    folder = tmp_path / "sealed"
    with runs.placing(folder) as new:
        for name in ("model.safetensors", "config.json", "base/tokenizer.json", "README.md"):
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_text(name)
    return folder


def test_a_manifest_covers_what_is_loaded_and_no_card(sealed):
    assert set(runs.read_manifest(sealed)) == {"model.safetensors", "config.json", "base/tokenizer.json"}
    assert {path.name for path in sealed.iterdir()} == {
        *("model.safetensors", "config.json", "base", "README.md", runs.MANIFEST)
    }
    (sealed / "README.md").write_text("corrected")
    runs.check(sealed)


@pytest.mark.parametrize("harm", ["bit", "cut", "gone"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "base/tokenizer.json", runs.MANIFEST])
def test_a_file_that_is_not_what_the_manifest_says_is_named(sealed, name, harm):
    path = sealed / name
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if harm == "cut" else content[:-3] + bytes([content[-3] ^ 4]) + content[-2:])
    if (name, harm) == (runs.MANIFEST, "gone"):
        runs.check(sealed)  # nothing to compare with
    else:
        with pytest.raises(ValueError, match=name):
            runs.check(sealed)


def test_what_is_placed_later_is_covered_too_and_what_is_gone_no_more(sealed):
    (sealed / "config.json").unlink()
    with runs.placing(sealed) as new:
        (new / "model.safetensors").write_text("better")
        (new / "planner.json").write_text("new")
    runs.check(sealed)
    assert set(runs.read_manifest(sealed)) == {"model.safetensors", "planner.json", "base/tokenizer.json"}


def test_a_file_that_was_changed_on_purpose_is_taken_once_the_folder_is_sealed_anew(sealed):
    (sealed / "config.json").write_text("better")
    runs.seal(sealed)
    runs.check(sealed)


def test_sealing_again_does_not_hide_that_another_file_was_damaged(sealed):
    (sealed / "base/tokenizer.json").write_text("damaged")
    with runs.placing(sealed) as new:
        (new / "config.json").write_text("new")
    with pytest.raises(ValueError, match=r"base/tokenizer\.json is not what manifest\.json says"):
        runs.check(sealed)


def test_a_folder_in_it_with_a_manifest_of_its_own_answers_for_itself(sealed):
    with runs.placing(sealed / "policy") as new:
        (new / "model.safetensors").write_text("weights")
    runs.seal(sealed)
    assert "policy/model.safetensors" not in runs.read_manifest(sealed)
    assert set(runs.read_manifest(sealed / "policy")) == {"model.safetensors"}


def test_a_manifest_cannot_make_us_read_elsewhere(sealed):
    runs.write_json(sealed / runs.MANIFEST, {"sha256": {"../../dev/zero": "0"}})
    with pytest.raises(ValueError, match="outside of its folder"):
        runs.check(sealed)


@pytest.mark.parametrize("moment", range(7))
def test_stopped_while_placing_every_file_is_whole_and_nothing_is_refused(sealed, monkeypatch, moment):
    class PowerGone(BaseException):
        pass

    left = iter(range(moment))

    def maybe_the_last(change):
        def changed(*args, **kwargs):
            if next(left, None) is None:
                raise PowerGone
            return change(*args, **kwargs)

        return changed

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, maybe_the_last(getattr(Path, name)))
    with contextlib.suppress(PowerGone), runs.placing(sealed) as new:
        for name in ("model.safetensors", "config.json"):
            (new / name).write_text(f"new {name}")
    monkeypatch.undo()
    runs.check(sealed)
    for name in ("model.safetensors", "config.json"):
        assert (sealed / name).read_text() in (name, f"new {name}")
    with runs.placing(sealed) as new:
        (new / "config.json").write_text("again")
    runs.check(sealed)
    assert set(runs.read_manifest(sealed)) == {"model.safetensors", "config.json", "base/tokenizer.json"}


def test_of_a_folder_that_took_its_place_whole_a_damaged_file_is_named(tmp_path):
    with runs.replacing(tmp_path / "checkpoint") as new:
        new.mkdir()
        (new / "progress.json").write_text("{}")
    (tmp_path / "checkpoint" / "progress.json").write_text("[]")
    with pytest.raises(ValueError, match=r"checkpoint/progress\.json is not what"):
        runs.newest(tmp_path / "checkpoint")


@pytest.mark.parametrize("part", [".", "policy/humanoid", "policy/g1", "decision_transformer", "planner"])
def test_what_ships_is_what_its_manifest_says(part):
    """After a change of files by hand:

    python -c "from agent.artefacts import runs; runs.seal('pretrained/agent/PART')"
    """
    folder = ROOT / "pretrained" / "agent" / part
    assert runs.read_manifest(folder)
    runs.check(folder)


WITHOUT_ROOM = """
import resource, sys
import runs

folder, known = sys.argv[1], int(sys.argv[2])
with runs.replacing(folder + "/checkpoint") as new:
    new.mkdir()
    (new / "weights").write_bytes(bytes(100_000))
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, -1))
try:
    with runs.replacing(folder + "/checkpoint", size=known) as new:
        new.mkdir()
        (new / "weights").write_bytes(bytes(200_000))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("known", [0, 200_000])
def test_without_room_the_path_and_the_need_are_named_and_the_old_version_stays(tmp_path, known):
    """A file may not grow beyond a limit: to a process that is what a full disk is."""
    done = run_code(WITHOUT_ROOM, tmp_path, known)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1), done.stderr
    need = f"it needs 0.{2 if known else 1}00 MB"
    assert done.stdout.startswith(f"{tmp_path}/checkpoint cannot be written (File too large): {need}")
    assert (runs.newest(tmp_path / "checkpoint") / "weights").stat().st_size == 100_000
    assert os.listdir(tmp_path) == ["checkpoint"]


@pytest.mark.parametrize("write", [runs.claim, runs.Metrics, lambda folder: runs.write_json(folder / "a.json", {})])
def test_where_a_folder_cannot_be_the_path_is_named(tmp_path, write):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match=r"taken/.* cannot be written \(Not a directory\)|\(File exists\)"):
        write(tmp_path / "taken")


def test_json_is_written_whole_and_read_back(tmp_path):
    runs.write_json(tmp_path / "a.json", {"speed": 1.5, "skills": ["stand"]})
    assert runs.read_json(tmp_path / "a.json") == {"speed": 1.5, "skills": ["stand"]}
    with pytest.raises(ValueError):
        runs.write_json(tmp_path / "a.json", {"speed": float("nan")})
    assert runs.read_json(tmp_path / "a.json")["speed"] == 1.5


@pytest.mark.parametrize("text", [None, "{", "[]", "\udcff"])
def test_json_that_is_missing_or_damaged_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=str(path)):
        runs.read_json(path)


def test_a_resumed_run_drops_the_rows_after_the_step_that_it_resumes_from(tmp_path):
    metrics = runs.Metrics(tmp_path)
    for step in (10, 20, 30):
        metrics.add(step, {"loss/value": step / 10})
    with (tmp_path / runs.METRICS).open("a") as stream:
        stream.write('{"step": 40, "loss/va')  # killed while writing
    del metrics
    resumed = runs.Metrics(tmp_path, resume_step=20)
    resumed.add(30, {"loss/value": 7})
    expected = [{"step": 10, "loss/value": 1}, {"step": 20, "loss/value": 2}, {"step": 30, "loss/value": 7}]
    assert resumed.rows == expected
    del resumed
    assert runs.Metrics(tmp_path, resume_step=30).rows == expected


def test_a_new_run_in_the_same_folder_starts_its_curves_anew(tmp_path):
    for step in (0, 10):
        runs.Metrics(tmp_path, resume_step=step).add(step, {"loss/value": 1})
    assert runs.Metrics(tmp_path).rows == []
    assert (tmp_path / runs.METRICS).read_text() == ""


def test_curves_are_drawn_from_rows_with_different_columns(tmp_path):
    metrics = runs.Metrics(tmp_path)
    metrics.add(1, {"loss/value": 1.0})
    metrics.add(2, {"loss/value": 0.5, "evaluation/survival": 1.0})
    metrics.draw()
    assert (tmp_path / runs.CURVES).read_bytes().startswith(b"\x89PNG")


def test_provenance_says_what_made_a_folder(tmp_path, monkeypatch):
    @dataclass
    class Arguments:
        seed: int = 3

    written = runs.record_provenance(tmp_path, Arguments(), {"init_from": "runs/blind"})
    assert runs.read_json(tmp_path / runs.PROVENANCE) == written
    assert (written["arguments"], written["processes"]) == ({"seed": 3}, 1)
    assert written["upstream"] == {"init_from": "runs/blind"}
    assert set(written["libraries"]) == set(runs.LIBRARIES)
    monkeypatch.setattr(sys, "argv", ["train.py", "--resume", "--seed", "3"])
    assert runs.record_provenance(tmp_path, Arguments())["command"] == "train.py --seed 3"


def test_the_table_of_a_pipeline_has_a_line_for_each_stage(tmp_path):
    for stage, seconds in (("ppo", 130.4), ("rollouts", 9)):
        runs.write_summary(
            tmp_path / stage, stage=stage, made=f"made by {stage}", seconds=seconds, metric="survival 0.50"
        )
    lines = runs.table([tmp_path / "ppo", tmp_path / "rollouts"]).splitlines()
    assert [line.split() for line in lines] == [
        ["stage", "what", "was", "made", "seconds", "key", "metric"],
        ["ppo", "made", "by", "ppo", "130", "survival", "0.50"],
        ["rollouts", "made", "by", "rollouts", "9", "survival", "0.50"],
    ]
    with pytest.raises(ValueError, match="summary"):
        runs.table([tmp_path / "planner"])


def test_a_run_too_short_for_a_metric_still_gets_its_picture(tmp_path):
    runs.Metrics(tmp_path).draw()
    assert (tmp_path / runs.CURVES).stat().st_size > 0


def test_a_second_run_in_a_folder_is_refused_until_the_first_one_ends(tmp_path):
    first = runs.claim(tmp_path)
    with pytest.raises(ValueError, match="another run writes into"):
        runs.Metrics(tmp_path)
    del first
    runs.Metrics(tmp_path)


def test_a_run_that_was_killed_leaves_its_folder_free(tmp_path):
    code = "import os, sys, runs; lock = runs.claim(sys.argv[1]); os.kill(os.getpid(), 9)"
    assert run_code(code, tmp_path).returncode == -signal.SIGKILL
    runs.claim(tmp_path)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_first_signal_is_noted_and_a_second_one_ends_the_process(number, code):
    script = """if True:
        import os, sys
        import runs
        with runs.interruptible() as interruption:
            os.kill(os.getpid(), int(sys.argv[1]))
            print(interruption.signal, flush=True)
            os.kill(os.getpid(), int(sys.argv[1]))
            print("not reached", flush=True)
    """
    result = run_code(script, int(number))
    assert (result.returncode, result.stdout) == (code, f"{int(number)}\n")


@pytest.mark.parametrize(
    ("path", "public"),
    [
        ("/home/me/runs/ppo", "ppo"),
        ("../me/ppo", "ppo"),
        ("~/ppo", "ppo"),
        ("runs/ppo", "runs/ppo"),
        ("me/policy@v1", "me/policy@v1"),
        ("--seed", "--seed"),
        ("--output_dir=/home/me/runs/ppo", "--output_dir=ppo"),
        ("--output_dir=runs/ppo", "--output_dir=runs/ppo"),
        ("0,0.1", "0,0.1"),
    ],
)
def test_of_a_path_that_leads_out_only_the_name_is_recorded(path, public):
    @dataclass
    class Arguments:
        one: str
        several: list[str]

    assert runs.strip_location(path) == public
    assert runs.resolved(Arguments(path, [path])) == {"one": public, "several": [public]}
