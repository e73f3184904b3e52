"""From sources to published data sets: SpineMed-450k and SpineBench."""
