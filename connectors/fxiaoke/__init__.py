"""纷享销客 (Fxiaoke / ShareCRM): buyers into the CRM as customers, customers back out."""

from connectors.fxiaoke.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
