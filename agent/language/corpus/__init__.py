"""The instructions that the planner is trained on: generated sentences, each with its goal program.

phrases.py      the words and phrases that sentences are made of
generator.py    the sentences and their programs
"""
