"""Cards: what the Hub shows of an artefact. All have the same sections in the same order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import DatasetCardData, EvalResult, ModelCard, ModelCardData

from agent.artefacts import runs

LICENSE = "apache-2.0"
TAGS = ("robotics", "mujoco", "gymnasium", "Humanoid-v5")
REPLAY = "replay.mp4"


@dataclass(frozen=True)
class Card:
    """What a card says beside what made the artefact; `use` is Python, the other texts are Markdown."""

    data: ModelCardData | DatasetCardData
    title: str
    what: str
    use: str
    results: str
    limits: str


def model_data(
    name: str,
    results: Mapping[str, float | str | None],
    *,
    pipeline_tag: str = "reinforcement-learning",
    measured_on: str = "Humanoid-v5",
    tags: tuple[str, ...] = (),
) -> ModelCardData:
    """The metadata of a model's card; `results` are its model-index, without what could not be measured."""
    return ModelCardData(
        license=LICENSE,
        library_name="transformers",
        pipeline_tag=pipeline_tag,
        tags=[pipeline_tag, *TAGS, *tags],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=pipeline_tag,
                dataset_type=measured_on,
                dataset_name=measured_on,
                metric_type=metric,
                metric_name=metric.replace("_", " "),
                metric_value=value if isinstance(value, str) else round(value, 4),
            )
            for metric, value in results.items()
            if value is not None
        ]
        or None,
    )


def write_card(folder: Path, card: Card, provenance: Mapping) -> None:
    """Write the README.md of an artefact; `provenance` is what `runs.record_provenance` returned, or empty."""
    sections = {
        "Use": f"```python\n{card.use.strip()}\n```",
        "Results": card.results.strip(),
        "Reproduce": reproduction(provenance) if provenance else "By the cards of its parts.",
        "Limits": card.limits.strip(),
        "License": LICENSE,
    }
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items())
    with runs.replacing(folder / "README.md") as beside:
        beside.write_text(f"---\n{card.data.to_yaml()}\n---\n\n# {card.title}\n\n{card.what.strip()}\n\n{body}\n")


def read_results(folder: Path) -> dict[str, float | str]:
    """The model-index of the card in a folder, by metric, as `model_data` took it; empty where there is none."""
    if not (folder / "README.md").is_file():
        return {}
    results = ModelCard.load(folder / "README.md").data.eval_results or []
    return {result.metric_type: result.metric_value for result in results}


def show_replay(folder: Path) -> None:
    """Say in the card of an artefact what its replay is of, which was made after it."""
    text = (folder / "README.md").read_text()
    with runs.replacing(folder / "README.md") as beside:
        beside.write_text(text.replace("\n\n## Use", f"\n\n`{REPLAY}` shows it.\n\n## Use", 1))


def reproduction(provenance: Mapping) -> str:
    """The command that made an artefact, with seed, versions, and the artefacts that it was made from."""
    versions = ", ".join(f"{name} {version}" for name, version in provenance["libraries"].items())
    processes = provenance.get("processes", 1)
    parts = [
        f"```bash\n{'python' if processes == 1 else 'accelerate launch'} {provenance['command']}\n```",
        f"Seed {provenance['arguments']['seed']}; {processes} process{'es' * (processes > 1)}; "
        f"Python {provenance['python']}, {versions}. All arguments stand in `{runs.PROVENANCE}`.",
    ]
    if provenance["upstream"]:
        parts.append("\n".join(f"- {name}: `{value}`" for name, value in provenance["upstream"].items()))
    return "\n\n".join(parts)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table, the first of them as its head."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)
