"""Sending: a worker claims one shard and sends it. Called by the task `campaigns.send_shard` alone.

A shard goes through these files, each of which imports only those after it:
shards (the task's work) -> claim (one statement: lease, fence, payload) -> sender (chunks: recheck, begin, write) ->
in_flight (what the transport carries, and its answers) -> bodies (the requests) -> claimed_shard (the shard in this
process) -> shard.outcomes (what is written down). Beside in_flight: recheck (with cap_check) refuses what must not
leave now, accepted_log remembers what a killed process cannot write down, and columns gives messages to a provider that
stores them by itself (the inbox). Beside bodies: id_columns writes the texts of ids.
"""
