"""The engine's commands of `manage.py`.

`demo`; `doctor`; `queues`, from which `notifier.local` learns which workers to start; `import_consents`, `read_bounces`
and `retention`, which do by hand what uploads and beat do; `metrics_exporter`, which answers Prometheus where no web
process runs.
"""
