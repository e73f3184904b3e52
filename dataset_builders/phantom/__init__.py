"""Make the embedded sources: a sources folder made by code, in our own words, the same bytes for the same seed.

    output/sources.yaml            licences, ids and titles (dataset_builders.sources reads it)
           README.txt
           textbooks/*.pdf         chapters with numbered figures, English and Chinese, one page as a scan
           guidelines/*.pdf        consensus/*.pdf
           case_reports/*.xml      JATS, with images beside
           question_banks/*.jsonl
           imaging/sub-phantom*    CT and MR volumes with label maps, centroids and planted findings
           hospital/cases_*.jsonl  admission records with synthetic identities, with images beside
           general_medical/*.json

``python -m dataset_builders.phantom --output DIR`` writes it. No patient, author or institution in it exists.
"""

from dataset_builders.phantom.hospital import planted_identifiers
from dataset_builders.phantom.make_sources import SIZES, Size, make_sources

__all__ = ["SIZES", "Size", "make_sources", "planted_identifiers"]
