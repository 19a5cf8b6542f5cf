"""What a process measures of itself. Knows neither Django nor the engine.

Read `directory` first (where the values of all processes of a machine are, and what becomes of those of a process that
ended), then `measures` (every metric, and the functions that record), `process` (memory and processor time), `tasks`
(what Celery's signals tell).
"""
