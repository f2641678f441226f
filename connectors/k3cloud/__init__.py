"""金蝶云星空 (K3Cloud): vouchers into the general ledger and back out for reconciliation."""

from connectors.k3cloud.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
