"""Starting real servers as processes of ours: an Airflow for the demo, for tests and for a small site."""

from duijie.runtime.airflow import AirflowStandalone
from duijie.runtime.processes import ProcessGroup, free_port
from duijie.runtime.rest import AirflowRest

__all__ = ["AirflowRest", "AirflowStandalone", "ProcessGroup", "free_port"]
