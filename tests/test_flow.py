"""Flow files: what cannot be run is refused when it is read, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError
from duijie.flow import load_flow

TEXT = "flow: orders\ntitle: 订单\nschedule: {schedule!r}\nsteps: []\n"


def written(folder: Path, schedule: str) -> Path:
    path = folder / "orders.yaml"
    path.write_text(TEXT.format(schedule=schedule), encoding="utf-8")
    return path


@pytest.mark.parametrize("schedule", ["", "doorbell", "*/10 * * * *", "0 9-21 * * 1-5"])
def test_a_schedule_is_a_cron_line_the_doorbell_or_none(tmp_path: Path, schedule: str) -> None:
    assert load_flow(written(tmp_path, schedule)).schedule == schedule


@pytest.mark.parametrize("schedule", ["*/10 * * *", "every day", "61 * * * *", "0 0 * * * *"])
def test_any_other_is_refused_with_an_example(tmp_path: Path, schedule: str) -> None:
    with pytest.raises(ConfigError) as told:
        load_flow(written(tmp_path, schedule))
    assert "*/10 * * * *" in told.value.zh
