"""The files of a 数电票: fetched or received, kept for good, read, and held against what was asked for.

The XML is the signed data original and the OFD the signed layout original; a PDF is a picture for people. The tax
bureau's and the seal's signatures are kept with the file and not verified: no public description of them was found.
"""
