"""A private Airflow for these tests: its environment must stand before Airflow is imported anywhere."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(tempfile.mkdtemp(prefix="duijie-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
(HOME / "dags").mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


@pytest.fixture(autouse=True)
def duijie_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a journal of its own."""
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path / "duijie"))
    monkeypatch.delenv("DUIJIE_JOURNAL", raising=False)
    return tmp_path / "duijie"


@pytest.fixture(scope="session")
def airflow_db() -> Iterator[None]:
    from airflow.utils.db import initdb  # noqa: PLC0415  the environment above comes first

    initdb()
    yield
