"""Clinician review: export items, import verdicts."""
