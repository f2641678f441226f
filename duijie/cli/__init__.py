"""The command line: `duijie --help`."""
