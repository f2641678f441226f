"""Tryton: goods, stock, orders, shipments, opportunities and vouchers, read and written."""

from connectors.tryton.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
