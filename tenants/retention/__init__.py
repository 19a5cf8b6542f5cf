"""Deleting what is older than its tenant keeps it. The task `notifier.retention` calls `run`, and `manage.py retention`
calls `run` and `preview`.

A package registers what it stores in `AppConfig.ready`: an `Expiry` for a table whose rows go by their age alone, a
`Remover` of its own where more has to be done. Read `periods`, `registry`, `expiry`, `run`.
"""
