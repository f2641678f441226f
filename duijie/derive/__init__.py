"""derive: documents made of documents. Pure rules (no clock, network, database); `making` feeds them."""
