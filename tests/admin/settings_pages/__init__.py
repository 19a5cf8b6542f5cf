"""What a tenant sets up: members, keys, provider accounts, categories, webhooks, the page of the tenant."""
