"""Publish the output folder of a stage, or an agent. Its card stays as it is: only a stage that was itself given
--push_to_hub has a card with the name of the repo.

Reads   any artefact of the four stages, or an agent
Writes  a repo on the Hugging Face Hub

    python publish.py --folder runs/ppo --push_to_hub me/humanoid-policy --private --tag v1
"""

from dataclasses import dataclass

from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub


@strict
@dataclass
class Arguments(arguments.PublishArguments):
    folder: str = arguments.option("", "folder of the artefact")

    def validate_folder(self):
        if not (self.folder and self.push_to_hub):
            raise ValueError("nothing to publish: give --folder and --push_to_hub")


def main(args: Arguments) -> None:
    print(hub.push_folder(args.folder, args.push_to_hub, private=args.private, tag=args.tag))


if __name__ == "__main__":
    arguments.run(main, Arguments)
