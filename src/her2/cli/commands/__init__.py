"""Commands of `her2`, one module each."""
