"""One vendor's order becomes one order of the PSI system, in Duijie, by hand and in every peer that can say it."""
