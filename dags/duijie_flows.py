"""Airflow DAGs of the flow files beside this one (dags/flows/*.yaml)."""

from pathlib import Path

from duijie.airflow.factory import build_dags

for dag in build_dags(Path(__file__).parent / "flows"):
    globals()[dag.dag_id] = dag
