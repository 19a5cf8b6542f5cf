"""The PostgreSQL and the Valkey of a stack. `notifier.local.stack` and `testing` call `start`.

start      starts both servers, or takes those that the environment names
postgres   a cluster under the folder; roles: its two database roles and the database
valkey     a Valkey (or Redis) under the folder
binaries   finds the server binaries
ports      finds free ports
sources    digests of the source files: whether the database must be migrated, or made anew
"""
