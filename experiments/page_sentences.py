"""How many development sentences the page's language model reads as Python does, in a headless Chromium.

    make web && PYTHONPATH=. python experiments/page_sentences.py

The page's weights have 8 bits, and it writes only the greedy answer. Where Python is not sure of that answer, it also
samples others.
"""

from page_speed import chromium

from agent.bodies import find_body
from agent.language.corpus import written
from agent.language.planner import Planner
from agent.language.program import parse

SENTENCES = 200
# One program after another, from the worker that the page uses too.
READ = """async (texts) => {
    const worker = new Worker("/planner_worker.js", {type: "module"});
    const told = () => new Promise((resolve) => { worker.onmessage = ({data}) => resolve(data); });
    for (let data = {}; !data.ready; data = await told()) if (data.error) throw new Error(data.error);
    const programs = [];
    for (const sentence of texts) {
        worker.postMessage({number: 0, sentence});
        programs.push((await told()).program ?? "");
    }
    return programs;
}"""


def main() -> None:
    texts = [each.text for each in written.sentences("development", SENTENCES)]
    with chromium() as (page, address):
        page.goto(f"{address}/agents.json")  # a file of the same origin, which moves no robot
        programs = [parse(program, find_body("humanoid")) for program in page.evaluate(READ, arg=texts)]
    parses = Planner.from_pretrained("pretrained/agent/planner").parse_with_confidence(texts)
    pairs = list(zip(programs, parses, strict=True))
    others = [each.confidence for program, each in pairs if program != each.program]
    print(f"{len(texts) - len(others)} of {len(texts)} sentences have the same program")
    print(f"the others have a probability of at most {max(others, default=0):.2f} in Python")


if __name__ == "__main__":
    main()
