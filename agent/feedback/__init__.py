"""How a body did on its goals, and how to correct it.

outcomes.py     the outcome of a goal in numbers and words, and what repairs it
pursuit.py      how one body executes a program, goal by goal
lessons.py      training examples: recorded steps, measured against other goals
proposals.py    the goals that are worth collecting more data for
trials.py       programs that are disturbed on purpose
"""
