"""What a spreadsheet makes of a text in a CSV file."""

# ASVS 5.0, 1.2.10: what spreadsheets take for the start of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")  # noqa: RUF001
BYTE_ORDER_MARK = "\ufeff"  # they drop it, and read what comes after


def cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.lstrip(BYTE_ORDER_MARK).startswith(FORMULA_STARTS) else text
