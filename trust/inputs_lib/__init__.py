"""What `trust/inputs.py` is made of: changes to files, readers, the judge, hostile payloads."""
