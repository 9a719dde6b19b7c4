"""One patient: virtual patients that fit the case, what each option would do in them, and sequences of lines compared.

`predict_patient` and `compare_sequences` are the two ways in. Rank above `trials` and `sequencing`: the rules say what
may be given, the engine follows the twins of the patient, this folder joins them. Research use only.
"""

from __future__ import annotations
