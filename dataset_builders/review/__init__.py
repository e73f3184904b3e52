"""Clinician review: plan who reads what, serve the page, keep decisions, measure agreement, give verdicts to the build."""
