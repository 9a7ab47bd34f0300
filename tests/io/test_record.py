"""A record says the same when it is read as when it was written."""

import json

from deltaworks.io.record import Group, Kind, Pin, Record, Restored, read_record


def test_a_record_comes_back_as_it_was():
    groups = (
        Group(("2013-01-01", "2013-01-02"), (16, 0), "1:ab", None, {"id-1": Pin("flights", 364)}),
        Group(("2013-01-03",), (3,), "1:ab", "v2", {}, reads={"id-2": Pin("carriers", 7)}),
        Group(("2013-01-04",), (4,), "1:ab", rejects=("run/1-3.parquet",), is_external=True),
    )
    checks = {"passed": 2, "not_passed": [{"rule": "unique", "severity": "warn"}]}
    record = Record("run", "daily", "deltaworks 0", "2026-01-01T00:00:00+00:00", groups, checks)

    assert read_record(json.loads(json.dumps(record.to_json())), "daily") == record


def test_the_records_of_a_rollback_and_a_wipe_come_back_as_they_were():
    made = Group(("a",), (16,), "1:ab", None, {"id-1": Pin("flights", 364)}, Restored(3, "first"))
    groups = (made, Group(("b",), (None,), None, restored_from=Restored(2, None)), Group(("c",), (0,), None))

    for kind in (Kind.ROLLBACK, Kind.WIPE):
        record = Record("run", "t", "deltaworks 0", "2026-01-01T00:00:00+00:00", groups, {}, kind)
        assert read_record(json.loads(json.dumps(record.to_json())), "t") == record
    assert [group.is_gone for group in groups] == [False, False, True]


def test_the_record_of_an_unpartitioned_table_names_no_keys():
    record = Record("run", "t", "deltaworks 0", "2026-01-01T00:00:00+00:00", (Group(None, (5,), "1:ab"),), {})

    document = record.to_json()

    assert (document["format"], document["min_engine_format"]) == (1, 1)
    assert (document["groups"][0]["keys"], document["groups"][0]["rows"]) == (None, [5])
    assert read_record(document, "t") == record
