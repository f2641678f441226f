"""Going through stored messages again: releasing what waits, and making documents anew by a corrected mapping."""

from duijie.replay.again import WORDS, Asked, Replay, Summary
from duijie.replay.choose import Wanted, count, origin
from duijie.replay.items import Released, preview_item, replay_item
from duijie.replay.routes import FIGURES, Route, Routes, is_figure

__all__ = [
    "FIGURES",
    "WORDS",
    "Asked",
    "Released",
    "Replay",
    "Route",
    "Routes",
    "Summary",
    "Wanted",
    "count",
    "is_figure",
    "origin",
    "preview_item",
    "replay_item",
]
