"""What a stage reads and leaves behind: its arguments, its output folder, its card, and its repo on the Hub.

arguments.py    a dataclass of arguments from defaults, YAML and the command line
runs.py         output folders: sealed, checked, locked and resumed
cards.py        model and dataset cards
hub.py          pushing to the Hub, loading from it, and what is refused
"""
