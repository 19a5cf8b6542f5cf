"""How workers learn that there is work: a wakeup in Redis for a task that listens, else a Celery task.

`signal` is called by accept, settle, dead_letters and sweep, and calls `notifier.tasks`, which AppConfig.ready
registers. `listener` is called by `notifier.tasks` and by send. A lost wakeup costs a second: the sweep notifies again.
"""
