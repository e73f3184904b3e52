"""Find what is the same: copies in the corpus, and benchmark items in any corpus."""
