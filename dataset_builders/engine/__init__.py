"""How steps run: over folders of records, in processes that may die, on one machine or many."""
