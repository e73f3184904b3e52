"""Clinician review: items out as a table, verdicts back in, agreement between groups."""
