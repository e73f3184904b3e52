"""Evaluate models on SpineBench: four `evaluate` modules, a harness that runs a model, judges, statistics and a report page.

python -m evaluation run --model ID_OR_URL --benchmark spinebench --output DIR
python -m evaluation report DIR... --output report.html
"""
