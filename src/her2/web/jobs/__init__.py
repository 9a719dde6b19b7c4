"""Long work: jobs in a database, run by worker processes that the server owns."""
