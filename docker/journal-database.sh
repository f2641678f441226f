#!/bin/sh
# Runs when the database server is set up first: the journal has a database and a user of its own.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$DUIJIE_DB_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE duijie LOGIN PASSWORD :'password';
CREATE DATABASE duijie OWNER duijie;
SQL
