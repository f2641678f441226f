"""How long a sender waits for its answer while its push is made durable."""
