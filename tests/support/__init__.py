"""Servers, builders of input and helpers that several tests share."""
