"""Traces from an API call to the provider's answer, by OpenTelemetry (docs/tracing.md). Off unless TRACING is set.

The API, the engine and campaigns call `spans`, `batches` and `derived`. A span is recorded when it has ended, with the
times that its caller noted: no context travels through threads, tasks or Redis. The trace of a notification travels in
the content of its ledger row, of sampled ones only (decision 049).

switch.py    whether traces are recorded: one global
context.py   the W3C header `traceparent`
spans.py     a request's span, and spans of work for messages
batches.py   spans of a batch and of its provider calls
derived.py   spans of campaigns and shards, whose trace ids are derived from their ids
recorder.py  the SDK of OpenTelemetry: the only module that imports it, and only imported when traces are on
"""
