"""What a worker had in hand when it ended is known to the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.deadletters import Record
from stream.records import DOCUMENTS
from stream.tries import Tries


def record(offset: int, partition: int = 0) -> Record:
    return Record(DOCUMENTS, partition, offset, b"k", b"v")


IN_HAND = []  # a generator that is collected ends


def die(folder: Path, *records: Record, epoch: str = "e") -> None:
    """A worker that ends with these in hand."""
    tries = Tries(folder, epoch)
    tries.of(records)
    IN_HAND.append(tries.holding(records))
    IN_HAND[-1].__enter__()


def test_what_was_in_hand_at_a_bad_end_is_counted(tmp_path: Path) -> None:
    records = [record(3), record(4), record(9, partition=1)]
    assert Tries(tmp_path, "e").of(records) == [0, 0, 0]
    die(tmp_path, *records)
    assert Tries(tmp_path, "e").of([record(2), *records, record(10, 1)]) == [0, 1, 1, 1, 0]
    tries = Tries(tmp_path, "e")
    assert tries.of(records) == [1, 1, 1]
    with tries.holding([record(3)]):
        pass
    die(tmp_path, record(4))
    assert Tries(tmp_path, "e").of(records[1:]) == [2, 1]


def test_what_ends_by_itself_or_by_an_error_leaves_nothing(tmp_path: Path) -> None:
    tries = Tries(tmp_path, "e")
    with tries.holding([record(1), record(1, 1)]):
        assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ValueError), tries.holding([record(2)]):
        raise ValueError
    assert not list(tmp_path.iterdir())


def test_other_epochs_and_earlier_offsets_are_forgotten(tmp_path: Path) -> None:
    die(tmp_path, record(1), record(5))
    assert Tries(tmp_path, "anew").of([record(1)]) == [0]
    tries = Tries(tmp_path, "e")
    assert tries.of([record(5)]) == [1]
    with tries.holding([record(5)]):
        pass
    assert not list(tmp_path.iterdir())


def test_a_broken_file_or_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "in-hand-0.json").write_text('["e", {"1"')
    tries = Tries(tmp_path, "e")
    assert tries.of([record(1)]) == [0]
    lost = Tries(tmp_path / "not there", "e")
    with lost.holding([record(1)]):
        pass
    assert lost.of([record(1)]) == [0]
