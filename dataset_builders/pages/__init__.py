"""Find where the words and images of a printed page stand, from a text layer or by OCR."""
