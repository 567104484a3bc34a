"""Results of any number of agents as one self-contained HTML page: tables, plots and clips."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agent.artefacts import runs
from agent.artefacts.cards import cell
from agent.bodies import find_body
from agent.goals import VelocityGoal
from agent.simulation import video
from agent.simulation.env import FRAME_SIZE
from agent.simulation.rollouts import Actor


def film(actor: Actor, seed: int) -> bytes:
    """The actor going through the scenes of its body, or as far as it gets without a fall, as an MP4 file."""
    return video.mp4(video.perform(actor, seed), actor.body)


def write_report(path: str | Path, results: Sequence[Mapping], clips: Sequence[bytes]) -> None:
    """Write the page for results of one suite, as `evaluate.py` prints them, and a clip of each agent."""
    names = [f"{result['agent']} ({result['actor']})" for result in results]
    title = f"Suite {results[0]['suite']}, seed {results[0]['seed']}"
    means = [numbers(result) | numbers(result.get("mean", {})) for result in results]
    measures = dict.fromkeys(key for mean in means for key in mean)
    overall = [[key, *(mean.get(key) for mean in means)] for key in measures]
    sections = [table("Over all", ["measure", *names], overall)]
    rows = [labeled(result.get("rows", [])) for result in results]
    labels = dict.fromkeys(key for each in rows for key in each)
    for measure in dict.fromkeys(key for each in rows for row in each.values() for key in row):
        values = [[key, *(each.get(key, {}).get(measure) for each in rows)] for key in labels]
        sections += [bars(measure, names, values), table(measure, ["", *names], values)]
    for name, result, clip in zip(names, results, clips, strict=True):
        source = f"data:video/mp4;base64,{base64.b64encode(clip).decode()}"
        filmed = video.scenes(find_body(result["body"]))
        scenes = ", then ".join(f"{goal.text} for {seconds:g} s" for goal, seconds in filmed)
        sections.append(
            f"<h2>{html.escape(name)}</h2><p>{scenes}.</p>"
            f'<video controls muted loop width="{FRAME_SIZE}" src="{source}"></video>'
        )
    with runs.replacing(path) as new:
        new.write_text(PAGE.format(title=html.escape(title), body="\n".join(sections)))


def numbers(values: Mapping) -> dict[str, float | str | None]:
    """The values to compare: numbers, shares with their intervals, and None for what could not be measured; no
    settings.

    Names in a group are preceded by the name of the group.
    """
    found: dict[str, float | str | None] = {}
    for key, value in values.items():
        if key in ("seed", "episodes", "mean"):
            continue
        if isinstance(value, Mapping) and "share" in value:
            found[key] = interval(value)
        elif isinstance(value, Mapping):
            found |= {f"{key}/{name}": inside for name, inside in numbers(value).items()}
        elif value is None or isinstance(value, int | float):
            found[key] = value
    return found


def interval(share: Mapping) -> str | None:
    """The result of `sentences.share` as one table cell."""
    if share["share"] is None:
        return None
    return f"{share['share']:.3f} ({share['low']:.3f} to {share['high']:.3f}, of {share['of']})"


def labeled(rows: Sequence[Mapping]) -> dict[str, dict]:
    """The numbers of each row by its label. Rows with the same label are numbered."""
    found: dict[str, dict] = {}
    for row in rows:
        name, number = label(row), 2
        while name in found:
            name, number = f"{label(row)}, {number}", number + 1
        found[name] = numbers(row)
    return found


def label(row: Mapping) -> str:
    """What a row is about: a command with its skill, or an instruction."""
    if "command" not in row:
        return str(row["text"])
    goal = VelocityGoal(*row["command"])
    return f"{goal.skill.replace('_', ' ')} ({', '.join(f'{value:g}' for value in goal.velocity)})"


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence]) -> str:
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    lines = []
    for first, *rest in rows:
        values = "".join(f"<td>{cell(value)}</td>" for value in rest)
        lines.append(f'<tr><th scope="row">{html.escape(str(first))}</th>{values}</tr>')
    caption = html.escape(caption.replace("_", " "))
    return f"<table><caption>{caption}</caption><thead><tr>{names}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def bars(measure: str, names: Sequence[str], rows: Sequence[Sequence]) -> str:
    """A measure per row and agent as an inline SVG; what could not be measured has no bar."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots()
    places, width = np.arange(len(rows)), 0.8 / len(names)
    for number, name in enumerate(names):
        heights = [np.nan if row[1 + number] is None else row[1 + number] for row in rows]
        axes.bar(places + (number - (len(names) - 1) / 2) * width, heights, width, label=name)
    axes.set_xticks(places, [str(row[0]) for row in rows], rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(measure.replace("_", " "))
    figure.legend(loc="outside upper left", ncols=len(names), fontsize=8)
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    svg = picture.getvalue()
    return (
        f'<figure role="img" aria-label="{html.escape(measure)}, as in the table">{svg[svg.index("<svg") :]}</figure>'
    )


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
caption {{ text-align: left; font-weight: bold; padding: 4px 0; }}
th, td {{ padding: 4px 12px; border-bottom: 1px solid #ddd; text-align: right; font-variant-numeric: tabular-nums; }}
th[scope=row] {{ text-align: left; font-weight: normal; }}
figure {{ margin: 1em 0; }}
svg, video {{ max-width: 100%; height: auto; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""
