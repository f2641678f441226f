"""Going through stored messages again: releasing what waits, and making documents anew by a corrected mapping."""

from duijie.replay.items import Released, preview_item, replay_item
from duijie.replay.routes import FIGURES, Route, Routes

__all__ = ["FIGURES", "Released", "Route", "Routes", "preview_item", "replay_item"]
