"""Fetch sources from their publishers into the folder that ``build --sources`` reads: Europe PMC by query, others by id.

    DIR/articles/PMC123/PMC123.xml    an article, its images beside it under the names that its XML gives
        imaging/spider/…              an entry of sources/catalogue.yaml, archives unpacked
        sources.yaml                  what such files do not say about themselves
        .fetch/manifest.jsonl         every file with address, SHA-256, bytes and time; what was left out, and why

A file appears whole or not at all. A killed fetch goes on where it stopped: files that have their recorded SHA-256 are not
requested again, all others are.
"""

from dataset_builders.fetch.client import Client, FetchError
from dataset_builders.fetch.entries import fetch_entries, list_entries
from dataset_builders.fetch.europe_pmc import EUROPE_PMC, fetch_articles
from dataset_builders.fetch.folder import Outcome

__all__ = ["EUROPE_PMC", "Client", "FetchError", "Outcome", "fetch_articles", "fetch_entries", "list_entries"]
