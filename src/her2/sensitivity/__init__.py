"""Which parameters matter for which drug, and which of them the data could tell apart."""
