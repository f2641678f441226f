"""How long the console's pages take over a journal of a grown shop."""
