"""From a sentence to a goal program: a language model reads the sentence, code converts and checks the result.

planner.py          the language model: reads, assesses, corrects and proposes, decoded under a grammar
program.py          the readable programs that it writes, their grammar, the goals they mean, and the robot's limits
amounts.py          amounts in words: six feet, half a minute, a quarter turn
base_model.py       loads a base model and its adapter
corpus/             the sentences that the model learns to read
"""
