"""What a stage reads and writes: its arguments, its output folder, its card, and its repo on the Hub.

A stage is a script of the pipeline, such as pretrain_ppo.py. An artefact is what it makes: a model, a dataset or an
agent, in a folder. A sealed folder has a manifest.json with the hash of every file that is loaded from it.

runs.py         output folders: sealed, checked, locked and resumed; their provenance and metrics
arguments.py    a dataclass of arguments from defaults, YAML and the command line
cards.py        model and dataset cards
checkpoints.py  checkpoints of the policy's and the transformer's training, for exact resume
checks.py       refuses damaged weights, pickles, code
callbacks.py    additions to transformers' Trainer: sealed checkpoints, and a stop that saves
hub.py          loading from a folder or the Hub, and publishing
"""
