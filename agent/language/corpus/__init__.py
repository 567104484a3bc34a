"""The sentences that the planner learns to read, each with its program.

written/        sentences that were written one by one: train, development and test
generator.py    any number of generated ones
phrases/        the words and phrases that they are made of, and what is to be refused (refusals.yaml)
"""
