"""A printed page: where its words and pictures stand, from a text layer or by OCR."""
