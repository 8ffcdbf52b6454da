"""Text that was broken before it came here."""


def is_damaged(text: str) -> bool:
    """There is a replacement character (U+FFFD): some program could not read the text and put it for what was lost."""
    return "\ufffd" in text
