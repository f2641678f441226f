"""Clients that the vendors wrote, or others did, drive our sandboxes: each installed in an environment of its own."""
