"""Tests mirror the packages; `support` holds what several of them use, `data` cases as data."""
