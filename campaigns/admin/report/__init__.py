"""What became of a campaign: the report with its plots and files, why one person did not get it, who was left out."""
