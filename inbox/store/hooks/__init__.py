"""What the engine and `tenants`, which must not import the inbox, ask of the stored messages. `inbox.apps` registers
these functions."""
