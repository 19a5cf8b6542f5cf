"""Commands of `manage.py`: `demo`, and `queues`, from which `notifier.local` learns which workers to start."""
