"""The same list read by plain clients with no guarantee: not signed, not repeated, not counted, amounts as floats."""
