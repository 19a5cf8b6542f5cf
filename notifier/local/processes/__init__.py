"""A supervisor of processes that leaves none behind, however it ends. `notifier.local.stack` and `servers` call it.

child            one supervised process: start, watch, restart, stop
programs         the command line and the readiness check of each program of the product
ready            readiness checks
fork_server      a process that has imported the product, and forks its workers; forking is its client
records          which processes a folder's stack has started
watchdog         a process that outlives a killed supervisor and ends its children
run_parallel     several starts or stops at once
pids             what the system knows about a process
drop_privileges  how root runs PostgreSQL, which refuses root
"""
