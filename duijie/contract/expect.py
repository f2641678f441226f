"""What the checks say when a promise is not kept."""

from __future__ import annotations

from duijie.contract.site import Broken


def must(holds: bool, otherwise: str) -> None:
    """Raises Broken with `otherwise` unless it holds."""
    if not holds:
        raise Broken(otherwise)


def is_chinese(text: str) -> bool:
    """Whether a text says something in Chinese."""
    return any("一" <= each <= "鿿" for each in text)
