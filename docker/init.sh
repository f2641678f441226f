#!/bin/sh
# Runs once before the others: Airflow's database, its administrator, the journal. Safe to run again.
set -eu
airflow db migrate
airflow users create --role Admin --username admin --firstname Duijie --lastname Admin \
    --email admin@duijie.invalid --password "$DUIJIE_ADMIN_PASSWORD"
python -c "from duijie.journal import Journal; Journal.open()"
