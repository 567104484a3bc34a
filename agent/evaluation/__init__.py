"""What evaluate.py measures, and the page that shows it.

suites.py     the suites of measurements
journeys.py   those of programs with places to go to
report.py     their results as one HTML page
"""
