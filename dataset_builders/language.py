"""Detect the language of a text: English or Chinese."""


def detect_language(text: str) -> str:
    """Return "zh" if at least a fifth of the letters are Han characters, else "en" (Chinese pages keep Latin terms)."""
    letters = [character for character in text if character.isalpha()]
    han = sum("\u4e00" <= character <= "\u9fff" for character in letters)
    return "zh" if letters and han >= len(letters) / 5 else "en"
