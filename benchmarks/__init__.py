"""What Duijie's hot paths cost beside hand-written code and other engines, measured in one run (docs/benchmarks.md)."""
