"""What evaluate.py measures, and the page that shows it.

suites.py    the suites of measurements
report.py    their results as one HTML page
"""
