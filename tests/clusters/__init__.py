"""The product on more than one machine: behind a pooler, with a read replica, with Valkey watched by Sentinel, rendered
for Kubernetes, and upgraded while it runs. One site for all tests of the folder."""
