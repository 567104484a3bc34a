"""What a body did with its goals, and what to do about it.

outcomes.py     the outcome of a goal in numbers and words, and what repairs it
pursuit.py      one body's way through a program, goal by goal
lessons.py      recorded steps, measured against other goals
proposals.py    the goals that are worth collecting more data of
trials.py       programs that are disturbed on purpose
"""
