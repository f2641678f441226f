"""Tryton: vouchers (account moves) into the general ledger and back out for reconciliation."""

from connectors.tryton.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
