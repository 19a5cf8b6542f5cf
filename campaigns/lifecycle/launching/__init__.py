"""GO, now or at a planned time: what must hold for it, and what it takes of the tenant's quotas."""
