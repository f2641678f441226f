"""The same mapping in other engines, each in its own language; a peer that is not installed is reported as such."""
