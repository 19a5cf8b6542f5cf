"""The cards of campaigns on the home page of the admin. `campaigns.apps` registers them."""
