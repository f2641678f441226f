"""Airflow DAG that asks a person before red invoices and large ones leave."""

from duijie.airflow.approvals import approvals_dag

dag = approvals_dag()
