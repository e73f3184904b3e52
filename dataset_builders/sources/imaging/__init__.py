"""Readers of volumes and radiographs, and how a volume becomes images."""
