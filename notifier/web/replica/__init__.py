"""Lists and reports from a read replica (REPLICA_DATABASE_URL).

choice    the middleware: which request reads the replica, and that another one answers in its place when it cannot
lag       how far the replica is behind
pins      who has just written, and so reads the primary
"""
