"""Sending: a worker claims one shard and sends it. Called by the task `campaigns.send_shard` alone.

A shard goes through these files, each of which imports only those after it:
shards (the task's work) -> claim (one statement: lease, fence, payload) -> sender (chunks: recheck, begin, write) ->
in_flight (what the transport carries, and its answers) -> bodies (the requests' bodies) -> claimed_shard (the shard in
this process) -> shard.outcomes (what is written down). bodies asks id_columns for the texts of ids. Beside in_flight: recheck refuses what must not leave now, and
accepted_log remembers what a killed process cannot write down.
"""
