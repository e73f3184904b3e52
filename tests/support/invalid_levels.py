"""Levels that no spine has, in texts that were made."""

import re

COUNTS = {"C": 8, "T": 12, "L": 5, "S": 5}  # C8 is a root


def invalid_levels(text: str) -> list[str]:
    """Names such as T13 or L6, and discs whose vertebrae are not neighbours."""
    order = [
        f"{region}{number}" for region in "CTLS" for number in range(1, COUNTS[region] + 1) if region + str(number) != "C8"
    ]
    wrong = [
        region + number
        for region, number in re.findall(r"(?<![A-Za-z0-9])([CTLS])(\d{1,2})(?![\d.]|-weighted|加权)", text)
        if not 1 <= int(number) <= COUNTS[region]
    ]
    for upper, lower in re.findall(r"(?<![A-Za-z])([CTLS]\d+)/([CTLS]\d+)", text):
        if upper not in order or order.index(upper) + 1 >= len(order) or order[order.index(upper) + 1] != lower:
            wrong.append(f"{upper}/{lower}")
    return wrong
