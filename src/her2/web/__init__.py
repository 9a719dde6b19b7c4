"""The web page: a thin server over the library, long work as jobs, and the built front end under `static/`."""
