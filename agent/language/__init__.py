"""From a sentence to a goal program: rules that clean up the text, and a language model that reads it.

spelling.py            typing errors
quantities.py          numbers and units
plain_words.py         courtesy, slips of the tongue and rare words
corpus/                the generated sentences that the language model learns from
steps.py               lists of steps, taken apart
planner.py             the language model, decoded under the grammar of goals
small_llama.py         a small language model to train from scratch
feedback_training.py   examples for the adapter that judges outcomes, and its grades
"""
