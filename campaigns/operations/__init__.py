"""What the operator of an installation sees of campaigns and does about them.

`doctor` has the findings of `manage.py doctor`, `facts` those of a scrape by Prometheus: `campaigns.apps` registers
both. `queue_backlog` is an SQL function that a migration creates, for what scales workers. `restored` holds everything
after the restore of a backup, for `manage.py after_restore`; it calls `lifecycle`. Each file can be read by itself.
"""
