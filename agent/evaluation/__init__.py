"""What evaluate.py measures, and the page that shows it.

suites.py      the suites of commands and postures
sentences.py   the suites of sentences
journeys.py    the suites of programs that lead to places
report.py      their results as one HTML page
"""
