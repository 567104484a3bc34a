"""The dataset of trajectories: what its files hold, and the windows that training reads from it.

schema.py       columns, files and their validation
episodes.py     datasets of other projects as the same arrays
windows.py      windows of a few steps, sampled from memory-mapped files
hindsight.py    the dataset relabeled with the goals that were achieved
"""
