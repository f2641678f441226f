"""The only place that knows Airflow: connection forms, operators made of flows, triggers, a notifier, a plugin.

Airflow decides when a step runs; what is true is in the journal. Nothing is imported here, because Airflow loads
`provider.py` in every process it starts.
"""
