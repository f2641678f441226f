"""金蝶云星空 (K3Cloud): vouchers, base data, stock and the bills of sales and purchase, out of it and into it."""

from connectors.k3cloud.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
