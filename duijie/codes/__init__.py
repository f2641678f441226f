"""The work on code tables 对照: what is missing and what it costs, what it probably means, in and out of Excel, and
letting everything go that waited for a row."""
