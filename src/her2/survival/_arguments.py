"""Checks of the arrays that every analysis here receives: time, event, weights, entry, groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]


def check_time(values: ArrayLike, name: str = "time") -> Floats:
    """Finite, non-negative float64 copy of a one-dimensional, non-empty array."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected numbers, got {type(values).__name__} ({error}).") from error
    if array.ndim != 1:
        raise ValueError(f"{name}: expected a one-dimensional array, got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one patient, got an empty array.")
    check_finite_non_negative(array, name)
    return array


def check_finite_non_negative(array: Floats, name: str) -> None:
    """Refuse NaN, infinity and negative values, naming the first offender."""
    wrong = np.flatnonzero(~np.isfinite(array.ravel()))
    if wrong.size:
        raise ValueError(
            f"{name}: expected finite numbers, got {array.ravel()[wrong[0]]} at position {wrong[0]} "
            f"({wrong.size} such); drop or impute missing times first."
        )
    wrong = np.flatnonzero(array.ravel() < 0)
    if wrong.size:
        raise ValueError(
            f"{name}: expected values of zero or more, got {array.ravel()[wrong[0]]} at position {wrong[0]}."
        )


def check_flags(values: ArrayLike, shape: tuple[int, ...], name: str = "event", like: str = "time") -> Flags:
    """Boolean copy of an array of True/False or 0/1 with the given shape."""
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name}: expected the shape of {like}, {shape}, got {array.shape}.")
    if array.dtype != np.bool_:
        numeric = np.issubdtype(array.dtype, np.number)
        if not numeric or not bool(np.all((array == 0) | (array == 1))):
            raise ValueError(
                f"{name}: expected True/False or 0/1 only, got {_describe_values(array)}; "
                "True means that it happened."
            )
    return array.astype(np.bool_)


def check_entry(values: ArrayLike | None, time: Floats) -> Floats | None:
    """Entry times strictly before `time`, or None where everyone is followed from zero."""
    if values is None:
        return None
    entry = check_time(values, "entry")
    if entry.shape != time.shape:
        raise ValueError(f"entry: expected the shape of time, {time.shape}, got {entry.shape}.")
    wrong = np.flatnonzero(entry >= time)
    if wrong.size:
        at = wrong[0]
        raise ValueError(
            f"entry: expected entry before time, got entry {entry[at]} and time {time[at]} at position {at}."
        )
    return entry


def check_weights(values: ArrayLike | None, shape: tuple[int, ...]) -> Floats | None:
    """Non-negative replication weights with a positive total, or None."""
    if values is None:
        return None
    weights = check_time(values, "weights")
    if weights.shape != shape:
        raise ValueError(f"weights: expected the shape of time, {shape}, got {weights.shape}.")
    if not weights.sum() > 0:
        raise ValueError("weights: expected a positive total, got zero everywhere.")
    return weights


def check_groups(values: ArrayLike, n_patients: int, name: str) -> tuple[NDArray[Any], Integers]:
    """Sorted labels, and for each patient the position of its label."""
    array = np.asarray(values)
    if array.shape != (n_patients,):
        raise ValueError(f"{name}: expected the shape of time, ({n_patients},), got {array.shape}.")
    if array.dtype.kind == "f" and not bool(np.all(np.isfinite(array))):
        raise ValueError(f"{name}: expected a label for every patient, got NaN or infinity.")
    if array.dtype == object and any(label is None or label != label for label in array):
        raise ValueError(f"{name}: expected a label for every patient, got None or NaN.")
    try:
        labels, codes = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"{name}: expected labels of one kind that can be sorted ({error}).") from error
    return labels, codes.astype(np.int64)


def check_level(level: float) -> float:
    """Confidence level strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: expected a number between 0 and 1 such as 0.95, got {level}.")
    return float(level)


def freeze(*arrays: NDArray[Any]) -> None:
    """Make result arrays read-only: results are records, not workspaces."""
    for array in arrays:
        array.flags.writeable = False


def _describe_values(array: NDArray[Any]) -> str:
    """A short list of the distinct values found, for an error."""
    found = list(dict.fromkeys(array.ravel().tolist()))
    return ", ".join(repr(value) for value in found[:4]) + (", ..." if len(found) > 4 else "")
