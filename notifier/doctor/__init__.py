"""`manage.py doctor`: says what is wrong with an installation, in plain words. It changes nothing.

The command (`notifier/management/commands/doctor.py`) calls `run.diagnose`, which runs every registered check by
itself: a check that fails is a finding. A higher package registers its checks in AppConfig.ready
(`campaigns.operations.doctor`).

findings.py     kinds of findings: severity, what it means, the remedy; docs/doctor.md lists them
registry.py     the checks, and what each needs
run.py          runs them, bounded in time and read-only
own_checks.py   the order of the checks below
schema.py       migrations, rights, row-level security, the signature, partitions
postgres.py     the server: version, clocks, room, long transactions, vacuum, indexes
broker.py       Redis or Valkey
processes.py    workers and beat
ledger.py       messages that wait, lost leases, dead letters, quotas, old rows
accounts.py     provider accounts
webhooks.py     endpoints of tenants, events that wait
site.py         settings, the site's address, uploads
audit.py        the audit chains, the level of load
"""
