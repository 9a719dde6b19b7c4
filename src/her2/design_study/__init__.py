"""Trial design: power, probability of success, size, looks and enrichment, over the posterior ensemble."""
