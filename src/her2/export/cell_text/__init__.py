"""Parts of the exported model of a cell, each written by its own module."""
