"""A printed page: where its words and images stand, from a text layer or by OCR."""
