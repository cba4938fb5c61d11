"""Row groups of Parquet datasets: every row once, columns by name, and a fair share for each process."""

from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from sklearn_din.distributed._row_groups import RowGroups, is_parquet


def write(path, n_rows, group_size, first=0, **columns):
    numbers = list(range(first, first + n_rows))
    rows = pa.table({"item": numbers, "y": pa.array([number % 3 for number in numbers]), **columns})
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(rows, path, row_group_size=group_size)


def test_groups_come_in_order_of_files_and_hold_every_row_once(tmp_path):
    write(tmp_path / "b.parquet", 5, 2, first=7)
    write(tmp_path / "a.parquet", 7, 3)
    groups = RowGroups(tmp_path, "y")

    assert_array_equal(groups.sizes, [3, 3, 1, 2, 2, 1])
    assert_array_equal(groups.starts, [0, 3, 6, 7, 9, 11])
    assert groups.n_rows == 12
    assert [item for i in range(len(groups)) for item in groups.frame(i)["item"].to_pylist()] == list(range(12))
    assert groups.frame(0).column_names == ["item"]


def test_files_and_groups_without_rows_are_left_out(tmp_path):
    write(tmp_path / "a.parquet", 0, 3)
    write(tmp_path / "b.parquet", 2, 3)

    assert_array_equal(RowGroups(tmp_path, "y").sizes, [2])


def test_folders_called_name_and_value_are_a_column(tmp_path):
    write(tmp_path / "day=3" / "a.parquet", 2, 2)
    write(tmp_path / "day=5" / "a.parquet", 1, 2)
    groups = RowGroups(str(tmp_path), "y")

    assert [groups.frame(i)["day"].to_pylist() for i in range(2)] == [[3, 3], [5]]


def test_a_single_file_and_a_dataset_are_read_too(tmp_path):
    write(tmp_path / "a.parquet", 4, 2)

    for source in (tmp_path / "a.parquet", ds.dataset(tmp_path, format="parquet")):
        assert is_parquet(source)
        assert RowGroups(source, "y").n_rows == 4
    assert not is_parquet(pq.read_table(tmp_path / "a.parquet"))


def test_target_and_weight_are_those_of_the_rows_of_the_group(tmp_path):
    write(tmp_path / "a.parquet", 4, 3, weight=pa.array([1, 2, 3, 4]), label=pa.array(["a", "b", "a", "c"]))
    groups = RowGroups(tmp_path, "label", "weight")
    target, weight = groups.target_and_weight(1)

    assert target.tolist() == ["c"]
    assert target.dtype.kind == "U"
    assert weight.tolist() == [4.0]
    assert weight.dtype == np.float64
    assert groups.features == ["item", "y"]
    assert RowGroups(tmp_path, "y").target_and_weight(0)[1] is None


def test_the_index_that_pandas_writes_is_no_feature(tmp_path):
    frame = pd.DataFrame({"item": [1, 2], "y": [0, 1]}, index=["a", "b"])
    frame.to_parquet(tmp_path / "a.parquet")

    assert RowGroups(tmp_path, "y").frame(0).column_names == ["item"]


def test_files_in_any_order_are_read_in_the_order_of_their_paths(tmp_path):
    write(tmp_path / "b.parquet", 1, 2, first=5)
    write(tmp_path / "a.parquet", 1, 2)

    for source in ([tmp_path / "b.parquet", str(tmp_path / "a.parquet")], tmp_path):
        groups = RowGroups(source, "y")
        assert [groups.frame(i)["item"].to_pylist() for i in range(2)] == [[0], [5]]


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_column_may_be_empty_or_narrower_in_a_file(tmp_path, first):
    numbers, names = pa.array([1, 2], pa.int16()), pa.array(["x", "y"])
    write(tmp_path / f"{first}.parquet", 2, 2, age=pa.nulls(2), size=numbers, name=names)
    other = "b" if first == "a" else "a"
    sizes = pa.array([2**40, 1], pa.int64())
    write(tmp_path / f"{other}.parquet", 2, 2, age=pa.array([1.0, 2.0]), size=sizes, name=names.cast(pa.large_string()))
    groups = RowGroups(tmp_path, "y")

    frames = [groups.frame(i) for i in range(2)]
    assert sorted((frame["size"].to_pylist() for frame in frames), key=max) == [[1, 2], [2**40, 1]]
    assert {frame["age"].type for frame in frames} == {pa.float64()}
    assert {frame["name"].to_pylist()[0] for frame in frames} == {"x"}


def test_files_with_other_columns_are_refused(tmp_path):
    write(tmp_path / "a.parquet", 2, 2, age=pa.array([1.0, 2.0]))
    write(tmp_path / "b.parquet", 2, 2)
    with pytest.raises(ValueError, match=r"same columns: .*b\.parquet has no column 'age', unlike .*a\.parquet"):
        RowGroups(tmp_path, "y")

    write(tmp_path / "0.parquet", 2, 2)
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(ValueError, match=r"a\.parquet has a column 'age', unlike .*0\.parquet. Write the columns"):
        RowGroups(tmp_path, "y")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(["a", "b"]), pa.array([b"a", b"b"])),
        (pa.array([["a"], []]), pa.array([[b"a"], []])),
        (pa.array([2**24 + 1, 1]), pa.array([2.0**24, 1.0], pa.float32())),  # whose last digit may be lost
        (pa.array([[2**24 + 1], []]), pa.array([[2.0**24], []], pa.list_(pa.float32()))),
        (pa.array([0.5, 1.0]), pa.array([0.5, 1.0], pa.float32())),
    ],
)
def test_types_whose_values_differ_are_not_joined_though_arrow_would(tmp_path, one, other):
    write(tmp_path / "a.parquet", 2, 2, code=one)
    write(tmp_path / "b.parquet", 2, 2, code=other)

    with pytest.raises(ValueError, match=r"one kind in all files: 'code' is of type .* in .*a\.parquet and of"):
        RowGroups(tmp_path, "y")


@pytest.mark.parametrize("value", [[1.0], [2.5]])
def test_integers_and_floats_are_numbers_of_one_kind(tmp_path, value):
    write(tmp_path / "a.parquet", 1, 2, code=pa.array([7]), codes=pa.array([[7]]))
    write(tmp_path / "b.parquet", 1, 2, code=pa.array(value), codes=pa.array([value]))
    groups = RowGroups(tmp_path, "y")

    assert groups.frame(0)["code"].to_pylist() == [7.0]
    assert groups.frame(1)["codes"].to_pylist() == [value]


@pytest.mark.parametrize("other", [pa.array(["007", "7"]), pa.array([[1], [2]]), pa.array([True, False])])
def test_a_column_of_another_kind_in_another_file_is_refused(tmp_path, other):
    write(tmp_path / "a.parquet", 2, 2, code=pa.array([7, 8]))
    write(tmp_path / "b.parquet", 2, 2, code=other)

    with pytest.raises(ValueError, match=r"one kind in all files: 'code' is of type int64 in .*a\.parquet and of"):
        RowGroups(tmp_path, "y")


def test_errors_say_which_group_was_read_last(tmp_path):
    write(tmp_path / "a.parquet", 4, 2)
    groups = RowGroups(tmp_path, "y")

    groups.frame(1)
    with pytest.raises(ValueError, match="invalid literal") as caught, groups.naming_places():
        int("a")
    (note,) = caught.value.__notes__
    assert note.startswith("Rows are counted in row group 1 of ")
    with pytest.raises(TypeError) as caught, RowGroups(tmp_path, "y").naming_places():
        raise TypeError
    assert not hasattr(caught.value, "__notes__")


def test_the_digest_is_that_of_files_and_groups(tmp_path):
    for folder, size in (("one", 2), ("two", 2), ("three", 3)):
        write(tmp_path / folder / "a.parquet", 6, size)
    digests = [RowGroups(tmp_path / folder, "y").digest for folder in ("one", "two", "three")]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("sizes", "count"),
    [([5, 5, 5, 5], 2), ([1, 1, 1, 97], 3), ([97, 1, 1, 1], 3), ([1] * 10, 3), ([3, 50, 2, 2, 60, 1], 4), ([9], 1)],
)
def test_each_group_is_of_one_process_and_each_process_has_one(sizes, count, tmp_path):
    for i, size in enumerate(sizes):
        write(tmp_path / f"{i:02d}.parquet", size, 1000)
    groups = RowGroups(tmp_path, "y")

    shares = [list(groups.share(rank, count)) for rank in range(count)]
    assert all(shares)
    assert list(chain(*shares)) == list(range(len(sizes)))


def test_shares_have_a_like_number_of_rows(tmp_path):
    for i, size in enumerate([10, 20, 30, 40, 50, 50]):
        write(tmp_path / f"{i}.parquet", size, 1000)
    groups = RowGroups(tmp_path, "y")

    assert [groups.sizes[list(groups.share(rank, 2))].sum() for rank in range(2)] == [100, 100]


def test_more_processes_than_groups_are_refused(tmp_path):
    write(tmp_path / "a.parquet", 4, 2)

    with pytest.raises(ValueError, match="there are 2 row groups and 3 processes"):
        RowGroups(tmp_path, "y").share(0, 3)


def test_a_missing_target_is_named_with_its_place(tmp_path):
    rows = pa.table({"item": [1, 2, 3], "y": [1, 0, None]})
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=2)

    with pytest.raises(ValueError, match=r"Column 'y' must have a value .* row 0 of row group 1 of .*a\.parquet"):
        RowGroups(tmp_path, "y").target_and_weight(1)


def test_columns_are_given_by_name(tmp_path):
    write(tmp_path / "a.parquet", 2, 2)

    with pytest.raises(ValueError, match="y must be a column of the Parquet files: there is no 'click'"):
        RowGroups(tmp_path, "click")
    with pytest.raises(ValueError, match="sample_weight must be a column .* there is no 'w'. They have item, y"):
        RowGroups(tmp_path, "y", "w")
    with pytest.raises(TypeError, match="y must be the name of a column of the Parquet files: got None"):
        RowGroups(tmp_path, None)
    with pytest.raises(TypeError, match="sample_weight must be the name of a column"):
        RowGroups(tmp_path, "y", np.ones(2))
    with pytest.raises(ValueError, match="y and sample_weight must be two columns: both are 'y'"):
        RowGroups(tmp_path, "y", "y")


def test_weights_are_numbers(tmp_path):
    write(tmp_path / "a.parquet", 2, 2, weight=pa.array(["1", "2"]))

    with pytest.raises(TypeError, match="Column 'weight' must hold weights, which are numbers: it holds <U1"):
        RowGroups(tmp_path, "y", "weight").target_and_weight(0)


def test_no_rows_are_refused(tmp_path):
    write(tmp_path / "a.parquet", 0, 2)

    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "empty"):
        with pytest.raises(ValueError, match="There are no rows to learn from"):
            RowGroups(path, "y")


def test_a_filtered_dataset_is_refused(tmp_path):
    write(tmp_path / "a.parquet", 2, 2)

    with pytest.raises(ValueError, match="must have all rows of its files: .* Write the rows that are wanted to files"):
        RowGroups(ds.dataset(tmp_path, format="parquet").filter(ds.field("y") == 0), "y")


@pytest.mark.parametrize("source", [pa.table({"y": [1]}), pd.DataFrame({"y": [1]}), [], [3]])
def test_frames_are_no_files(source):
    with pytest.raises(TypeError, match="Parquet files are given as a path, a list of paths or a dataset: got"):
        RowGroups(source, "y")


def test_datasets_of_other_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("item,y\n1,0\n")

    with pytest.raises(TypeError, match="The dataset must be one of Parquet files"):
        RowGroups(ds.dataset(tmp_path, format="csv"), "y")
