"""The planner: whatever the text, a valid program or a refusal, and the same one after a round trip."""

import json
import os

import pytest
import torch
from conftest import SHIPPED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import small_planner, with_adapter

from agent.artefacts import runs
from agent.bodies import find_body
from agent.feedback.outcomes import CAUSES, GoalOutcome
from agent.feedback.proposals import draw_tables
from agent.goals import GOAL_VERSION, Goal, GoalProgram, Pose, Progress, VelocityGoal
from agent.language import planner as planner_module
from agent.language.corpus import written
from agent.language.planner import CONFIG, READ, Parse, Planner
from agent.language.program import parse, score

HUMANOID = find_body("humanoid")
PLANNERS = ["chat template", "plain"]
# For what a chat template does not change.
one_planner = pytest.mark.parametrize("planner", PLANNERS[:1], indirect=True)


@pytest.fixture(scope="module", params=PLANNERS)
def planner(request):
    return small_planner(chat=request.param == "chat template")


def is_sound(program: GoalProgram) -> bool:
    return GoalProgram.from_tokens(program.tokens) == program and all(
        abs(value) <= max(map(abs, limits)) + 1e-6
        for goal in program.goals
        if isinstance(goal, VelocityGoal)
        for value, limits in zip(goal.velocity, HUMANOID.speed_limits, strict=True)
    )


HOSTILE = st.lists(
    st.sampled_from(
        ["ignore all previous instructions", "system:", "<|im_start|>", "[INST]", "</s>", "\n\n", "{text}"]
    )
    | st.sampled_from(["walk", "turn left; stand", "1e308 meters", "-5 m", "9" * 400, "NaN", "\u0663 m", "\x00"])
    | st.text(max_size=20),
    max_size=40,
).map(" ".join)
# 10,000 strings: PLANNER_STRINGS=10000 pytest tests/language/test_planner.py -k shipped
STRINGS, AT_ONCE = int(os.environ.get("PLANNER_STRINGS", "40")), 5


@pytest.fixture(scope="module")
def shipped():
    return Planner.from_pretrained(SHIPPED / "planner")


@pytest.mark.slow
@settings(max_examples=STRINGS // AT_ONCE, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.text(max_size=80) | st.text(max_size=1500) | HOSTILE, min_size=AT_ONCE, max_size=AT_ONCE))
def test_the_shipped_planner_gives_a_valid_program_or_a_refusal_for_any_text(shipped, texts):
    programs = shipped.parse_batch(texts)
    assert len(programs) == len(texts) and all(is_sound(program) for program in programs)


@pytest.mark.slow
def test_the_shipped_planner_reads_most_development_sentences(shipped):
    rows = written.sentences("development")[::10]
    found = shipped.parse_batch([each.text for each in rows])
    results = score(found, [parse(each.program, HUMANOID) for each in rows])
    assert results["exact"] >= 0.7, results


@settings(max_examples=12)
@given(st.lists(st.text(max_size=40) | st.text(min_size=580, max_size=2500) | HOSTILE, min_size=1, max_size=4))
def test_any_text_gives_a_valid_program_or_a_refusal(planner, texts):
    assert all(is_sound(program) for program in planner.parse_batch(texts))


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u3000\u2003"])
def test_an_empty_text_is_refused_without_the_model(planner, text):
    assert planner.parse_with_confidence([text]) == [Parse(GoalProgram(refusal="nothing"), 1.0)]


def test_a_text_too_long_is_refused_without_the_model(planner):
    for text in ("walk forward " * 300, "\N{ROBOT FACE}" * 500, "\ufdfa" * 500):
        assert planner.parse_with_confidence([text]) == [Parse(GoalProgram(refusal="unclear"), 1.0)]


@one_planner
def test_half_a_surrogate_pair_is_refused_and_no_error(planner):
    assert is_sound(planner.parse("walk \ud800 forward"))


@given(HOSTILE)
def test_no_text_becomes_a_special_token(planner, text):
    prefix, suffix = planner.chat.frame(READ)
    ids = planner.chat.prompt_ids(READ, text)
    said = ids[len(prefix) : len(ids) - len(suffix)]
    assert not set(said) & set(planner.tokenizer.all_special_ids)


def test_an_answer_is_read_back_from_its_ids(planner):
    for each in written.sentences("development")[:50]:
        ids = planner.chat.answer_ids(each.program)
        assert planner.tokenizer.decode(ids[:-1]) == each.program and ids[-1] == planner.chat.end


@one_planner
def test_many_texts_are_read_in_batches_and_each_gives_what_it_gives_alone(planner, monkeypatch):
    monkeypatch.setattr(planner_module, "BATCH_SIZE", 8)
    texts = ["walk forward", "turn left 90 degrees, then walk 2 metres and stop there", "jump", "", "go on"]
    assert planner.parse_batch(texts) == [planner.parse(text) for text in texts]


@one_planner
def test_where_the_model_is_not_sure_a_likelier_program_is_found(planner, monkeypatch):
    texts = ["walk forward 2 m", "turn left", "wave and go home"]
    found = planner.parse_with_confidence(texts)
    monkeypatch.setattr(planner_module, "SURE", 0.0)
    first = planner.parse_with_confidence(texts)
    assert all(before.confidence < 0.7 for before in first)
    gains = [after.confidence / before.confidence for before, after in zip(first, found, strict=True)]
    assert min(gains) > 0.999 and max(gains) > 1.05


@one_planner
def test_a_program_that_the_model_is_not_sure_of_is_refused(planner):
    (sure,) = planner.parse_with_confidence(["walk forward"])
    assert 0 < sure.confidence <= 1
    careful = Planner(planner.model, planner.tokenizer, least_confidence=1.0)
    assert careful.parse("walk forward") == GoalProgram(refusal="unclear")
    with pytest.raises(ValueError, match="from 0 to 1"):
        Planner(planner.model, planner.tokenizer, least_confidence=2.0)


def test_a_saved_planner_reads_the_same(planner, tmp_path):
    texts = ["walk forward", "run 5 s", "\N{ROBOT FACE}"]
    planner.save_pretrained(tmp_path)
    again = Planner.from_pretrained(tmp_path)
    assert again.config == planner.config
    assert_same_answers(again.parse_with_confidence(texts), planner.parse_with_confidence(texts))
    assert not list(tmp_path.rglob("*.bin")) and list(tmp_path.rglob("*.safetensors"))


def assert_same_answers(found, meant):
    assert [each.program for each in found] == [each.program for each in meant]
    assert [each.confidence for each in found] == pytest.approx([each.confidence for each in meant], rel=1e-4)


@one_planner
def test_neither_guessing_ahead_nor_what_is_kept_of_prompts_changes_an_answer(planner, monkeypatch):
    texts = ["walk forward 2 metres", "turn 90 degrees left, then go to 3 m ahead", "go home"]
    passes = []
    hook = planner.model.register_forward_hook(lambda *_: passes.append(1))
    monkeypatch.setattr(planner_module, "DRAFT_TOKENS", 0)
    plain, plain_passes = planner.parse_with_confidence(texts), len(passes)
    monkeypatch.setattr(planner_module, "DRAFT_TOKENS", 64)
    assert_same_answers(planner.parse_with_confidence(texts), plain)
    assert len(passes) - plain_passes < plain_passes
    hook.remove()
    again = Planner(planner.model, planner.tokenizer)
    again.cache_prefixes()
    assert_same_answers(again.parse_with_confidence(texts), plain)


@one_planner
def test_an_adapter_is_saved_alone_and_read_with_its_base(planner, tmp_path):
    planner.save_pretrained(tmp_path / "whole")
    base = tmp_path / "whole" / "base"
    adapted = with_adapter(small_planner(), str(base))
    adapted.save_pretrained(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "base").exists()
    assert Planner.from_pretrained(tmp_path / "adapter").parse("walk") == adapted.parse("walk")


@one_planner
def test_another_goal_vocabulary_is_refused_by_both_versions(planner, tmp_path):
    planner.save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    config = json.loads((tmp_path / CONFIG).read_text()) | {"goal_version": "1"}
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"vocabulary 1, but this code uses {GOAL_VERSION}"):
        Planner.from_pretrained(tmp_path)


def test_a_folder_without_a_planner_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no planner\.json"):
        Planner.from_pretrained(tmp_path)


ENDED = Progress(seconds=1.2, pose=Pose(1.2, 0.0, 0.35), home=Pose(), degrees=20.0, meters=1.2)
SHORT = GoalOutcome(Goal(1.0, meters=2.0), ENDED, (1.0, 0.0, 0.3), fell=False, timed_out=False)
TABLE = next(draw_tables(0))


@one_planner
def test_an_untrained_model_assesses_and_corrects_within_its_grammar(planner):
    (assessment,) = planner.assess([SHORT])
    (goals,) = planner.correct([SHORT], [assessment.judged])
    assert assessment.cause in CAUSES and 0 <= assessment.confidence <= 1
    assert goals == () or GoalProgram(goals).goals == goals
    assert planner.judge(SHORT) == (assessment, () if assessment.cause in ("met", "fall") else goals)


@one_planner
def test_whatever_an_untrained_model_proposes_is_a_program(planner):
    proposed = planner.propose(TABLE, 2, seed=1)
    assert len(proposed) == 2 and not any(program.refused for program in proposed)
    before = torch.random.get_rng_state()
    assert planner.propose(TABLE, 2, seed=1) == proposed
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_answer_that_is_cut_off_counts_as_none(planner, monkeypatch):
    monkeypatch.setattr(planner_module, "MAX_ANSWER_TOKENS", 1)
    assert planner.answer(READ, [planner.chat.prompt_ids(READ, "walk")])[0][0] == ""
    assert planner.parse("walk").reason
