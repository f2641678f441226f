"""Duijie 对接: carries business documents between a 进销存 system and the systems around it."""

__version__ = "0.1.0"
