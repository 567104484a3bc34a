"""The commands suite of agent/evaluation/suites.py in a headless Chromium, by the code of the page, as a table.

make web && python experiments/page_suite.py 3 --agent pretrained_agent/g1
"""

import argparse
import statistics

from page_speed import chromium


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("episodes", type=int, help="episodes for each command")
    parser.add_argument("--agent", default="pretrained_agent/humanoid", help="as in the address of the page")
    args = parser.parse_args()
    if args.episodes < 1:
        parser.error(f"episodes={args.episodes} must be at least 1")
    with chromium() as (page, address):
        page.goto(f"{address}/agents.json?agent={args.agent}")  # a file of the same origin, which moves no robot
        rows = page.evaluate("async (count) => (await import('/suite.js')).runSuite(count)", arg=args.episodes)
    print("command | survival | velocity error, m/s | yaw error, rad/s")
    measures = "survival", "velocity_error", "yaw_error"
    for row in rows:
        print(row["command"], *(f"{row[name]:.3f}" for name in measures), sep=" | ")
    print("mean", *(f"{statistics.fmean(row[name] for row in rows):.3f}" for name in measures), sep=" | ")


if __name__ == "__main__":
    main()
