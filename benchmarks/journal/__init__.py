"""Orders from an HTTP source through the journal into an HTTP sink, beside peers that do a part of it.

`make bench-journal` runs everything and ends with one line of JSON.
"""
