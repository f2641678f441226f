"""Keeping the journal as a whole: backups with a proof, restoring them, archiving what is old.

A backup is a folder with one file of data and a manifest that was taken in the same snapshot: rows, sums of money and a
hash of every table. A restored journal is proven against it, row by row, before anybody works with it.
"""
