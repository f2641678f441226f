"""纷享销客 (Fxiaoke / ShareCRM): customers, opportunities, orders and products both ways; base data and stock out."""

from connectors.fxiaoke.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
