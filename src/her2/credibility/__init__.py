"""How far the model may be believed, for what: the credibility report, made of what ships with the package."""
