"""The systems Duijie speaks to, one package each; they import `duijie.connect` and nothing else of Duijie."""
