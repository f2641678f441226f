"""The same orders read by others, each a program of its own environment: `python -m benchmarks.journal.peers.NAME`.

Each prints one line of JSON: {"seconds": {number of orders: seconds}}.
"""
