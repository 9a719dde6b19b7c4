"""Results on the disk: chunks of patients as Parquet files, and a ledger that says what is there and whole.

A run that is killed leaves every chunk that the ledger names; a chunk that was damaged since is recognised by its
digest and never read.
"""

from her2.store.chunks import ChunkRecord, ChunkStore, Damage
from her2.store.ledger import Ledger
from her2.store.table import decode_patients, encode_patients

__all__ = ["ChunkRecord", "ChunkStore", "Damage", "Ledger", "decode_patients", "encode_patients"]
