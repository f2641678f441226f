"""The proof of "effectively once, whatever breaks": `make faults`, and its short forms as tests."""
