"""The record is as large as the reviews: trials, figures, claims, mechanisms, agents, conflicts, rules."""

from __future__ import annotations

import json

from her2.evidence.counts import count_record, nct_numbers

LEAST = {
    "trials": 90,
    "endpoints": 480,
    "claims": 400,
    "mechanisms": 44,
    "agents": 50,
    "conflicts": 70,
    "rules": 35,
    "nct_numbers": 23,
    "cells": 17,
    "attributes": 46,
    "switches": 120,
    "network_nodes": 29,
    "network_edges": 58,
    "acting_agents": 50,
    "actions": 90,
    "experiments": 350,
}


def test_the_record_is_complete(record):
    counted = count_record(record)
    assert {k: v for k, v in counted.items() if k in LEAST and v < LEAST[k]} == {}
    assert counted["user_entries"] == 0


def test_experiments_and_reasons_add_up_to_the_executable_claims(record):
    counted = count_record(record)
    assert counted["experiments"] + counted["claims_not_covered"] == counted["executable_claims"]


def test_registry_numbers_are_distinct_and_well_formed(record):
    numbers = nct_numbers(record)
    assert len(set(numbers)) == len(numbers)
    assert all(len(n) == 11 and n.startswith("NCT") for n in numbers)


def test_counts_on_the_command_line(her2, record):
    data = json.loads(her2("evidence", "--counts", "--json").out)
    assert {k: data[k] for k in LEAST} == {k: count_record(record)[k] for k in LEAST}
    assert data["nct"] == list(nct_numbers(record))
    assert "nct numbers" in her2("evidence", "--counts").out


def test_own_entries_are_counted_as_own(own_record, her2):
    assert json.loads(her2("evidence", "--counts", "--json").out)["user_entries"] == 4
