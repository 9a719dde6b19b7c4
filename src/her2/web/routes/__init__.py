"""Operations of the server, one module per view."""
