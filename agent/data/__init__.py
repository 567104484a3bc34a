"""The dataset of trajectories: the content of its files, and the windows that training reads from it.

schema.py       columns, files and their validation
episodes.py     datasets of other projects, as arrays per episode
windows.py      windows of a few steps, sampled from memory-mapped files
hindsight.py    the dataset relabeled with the goals that were achieved
"""
