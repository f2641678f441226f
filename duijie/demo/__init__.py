"""The main job as one command: a business day through every system, under a real Airflow."""
