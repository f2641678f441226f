"""`make bench-connectors`: a hundred thousand orders out of a shop that takes 20 ms for an answer."""
