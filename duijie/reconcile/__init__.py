"""reconcile: read both sides again from the systems themselves and name every difference."""

from duijie.reconcile.pairs import compare_pairs

__all__ = ["compare_pairs"]
