"""Damage, kills and errors: what is read is what was written, and the old file stays until the new one is whole."""

import json
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import save

from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence import load_model, save_model
from sklearn_din.persistence._container import read_container, write_container


@pytest.fixture
def file(fitted, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path)
    return path


def test_a_file_cut_at_any_byte_is_refused(file):
    data = file.read_bytes()
    refused = 0
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            load_model(file)
        refused += 1

    assert refused == len(data) > 4000


def test_a_flipped_bit_in_any_byte_is_refused(file):
    data = bytearray(file.read_bytes())
    bits = np.random.default_rng(0).integers(0, 8, len(data))
    for position, bit in enumerate(bits.tolist()):
        data[position] ^= 1 << bit
        file.write_bytes(data)
        with pytest.raises(ModelFileError):
            load_model(file)
        data[position] ^= 1 << bit

    file.write_bytes(data)
    load_model(file)


def test_bytes_behind_the_end_are_refused(file):
    file.write_bytes(file.read_bytes() + b"\0")

    with pytest.raises(ModelFileError, match="is damaged: its .* bytes are not those that were written"):
        load_model(file)


def test_the_same_model_gives_the_same_bytes(fitted, file, tmp_path):
    again = tmp_path / "again"
    save_model(load_model(file), again)

    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\xff" * 100,
        b"# A text\n",
        pickle.dumps({"a": 1}),
        save({"weights": np.zeros(3)}),
        save({"weights": np.zeros(3)}, {"sklearn_din": "[]"}),
        save({"weights": np.zeros(3)}, {"sklearn_din": "[" * 100_000}),
    ],
    ids=["empty", "short", "ones", "text", "pickle", "other", "list", "deep"],
)
def test_what_is_no_model_file_is_called_so(tmp_path, content):
    path = tmp_path / "something"
    path.write_bytes(content)

    with pytest.raises(
        ModelFileError, match="something is not a model file of sklearn_din, or damaged. Give a file that save_model"
    ):
        load_model(path)


def test_a_later_format_is_refused_with_the_version_that_wrote_it(tmp_path):
    path = tmp_path / "later"
    document = {"format": 2, "versions": {"sklearn-din": "9.1"}}
    path.write_bytes(save({"x": np.zeros(3)}, {"sklearn_din": json.dumps(document)}))

    with pytest.raises(ModelFileError, match=r"is of format 2, or damaged: this .* reads format 1.*sklearn-din 9\.1\."):
        load_model(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing")


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3)])
def test_arrays_of_each_type_come_back(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    write_container(tmp_path / "file", {"a": 1}, {"model.x": array})
    document, arrays = read_container(tmp_path / "file")

    assert document == {"format": 1, "a": 1}
    assert_array_equal(arrays["model.x"], array, strict=True)
    assert arrays["model.x"].flags.writeable


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_an_error_while_writing_leaves_the_old_file_and_no_other(file, fitted_regressor, monkeypatch, step):
    before = file.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if step == "fsync" else Path, step, fail)
        with pytest.raises(OSError, match="No space left"):
            save_model(fitted_regressor, file)

    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_what_is_no_file_is_not_replaced(fitted, tmp_path):
    folder, fifo = tmp_path / "folder", tmp_path / "fifo"
    folder.mkdir()
    os.mkfifo(fifo)
    for path in (folder, fifo, ""):
        with pytest.raises(OSError, match="Is a directory|File exists"):
            save_model(fitted, path)

    assert folder.is_dir()
    assert fifo.is_fifo()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_not_replaced(fitted, file):
    file.chmod(0o444)

    with pytest.raises(PermissionError):
        save_model(fitted, file)


def test_a_long_name_is_a_name(fitted, tmp_path):
    path = tmp_path / ("a" * 255)
    save_model(fitted, path)

    load_model(path)


def test_a_checksum_that_is_not_at_the_end_is_neither_written_nor_read(fitted, file, monkeypatch):
    data = file.read_bytes()
    assert data.count(b'"sha256"') == 1
    file.write_bytes(data.replace(b'"sha256"', b'"tha256"'))
    with pytest.raises(ModelFileError, match="is damaged"):
        load_model(file)

    monkeypatch.setattr("sklearn_din.persistence._container.CHECKSUM", "a checksum")  # comes before the names of arrays
    with pytest.raises(RuntimeError, match="This version of safetensors does not write the checksum last"):
        save_model(fitted, file)


def test_a_folder_that_is_not_there_is_an_error_of_the_system(fitted, tmp_path):
    with pytest.raises(FileNotFoundError):
        save_model(fitted, tmp_path / "no" / "model")


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_a_file_has_the_usual_mode_and_keeps_the_one_it_had(fitted, tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "model"
    plain.touch()
    save_model(fitted, path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)

    path.chmod(0o640)
    save_model(fitted, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="symbolic links are those of POSIX")
def test_a_link_stays_a_link(fitted, fitted_regressor, file):
    link = file.with_name("current")
    link.symlink_to(file)
    save_model(fitted_regressor, link)

    assert link.is_symlink()
    assert type(load_model(file)[-1]) is type(fitted_regressor[-1])


# A program that saves two models in turn, and is killed: by itself at a step, or by its parent at any time.
SAVE = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from sklearn_din import DINClassifier
from sklearn_din.persistence import load_model, save_model

folder = Path(sys.argv[1])
path = folder / "model"
X = np.random.default_rng(0).random((40, 3))
models = [DINClassifier(hidden_layer_sizes=(300, 300), max_epochs=1, random_state=seed).fit(X, np.arange(40) % 2)
          for seed in (0, 1)]
expected = [model.predict_proba(X) for model in models]

def is_one_of_them():
    proba = load_model(path).predict_proba(X)
    return [(proba == each).all() for each in expected].index(True)

def killed(child):
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(1)
    return pid
"""

KILLS = (
    SAVE
    + """
def save_for_ever():
    os.write(ready, b"x")
    while True:
        for model in models:
            save_model(model, path)

start = time.perf_counter()
for model in models:
    save_model(model, path)
both = time.perf_counter() - start
rng = np.random.default_rng(0)
found = []
for _ in range(50):
    read, ready = os.pipe()
    pid = killed(save_for_ever)
    os.read(read, 1)
    time.sleep(rng.uniform(0, 2 * both))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    found.append(is_one_of_them())
print(len(found), len(set(found)), len(list(folder.glob(".model.*.tmp"))) > 0)
"""
)

STEPS = (
    SAVE
    + """
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def do_and_die(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return do_and_die

def at_the_step(step, is_before):
    owner = os if step == "fsync" else Path
    setattr(owner, step, die if is_before else after(getattr(owner, step)))
    save_model(models[1], path)

for step in ("open", "fsync", "replace"):
    for is_before in (True, False):
        save_model(models[0], path)
        _, status = os.waitpid(killed(lambda: at_the_step(step, is_before)), 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        print(step, "before" if is_before else "after", is_one_of_them())
"""
)


def run(program, folder):
    # A fork of a process with threads warns from Python 3.12 on.
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fifty_kills_leave_fifty_files_that_can_be_read(tmp_path):
    kills, different, was_killed_within = run(KILLS, tmp_path)[0].split()

    assert (int(kills), int(different)) == (50, 2)
    assert was_killed_within == "True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_before_the_replacement_leaves_the_old_file_and_after_it_the_new_one(tmp_path):
    assert run(STEPS, tmp_path) == [
        "open before 0",
        "open after 0",
        "fsync before 0",
        "fsync after 0",
        "replace before 0",
        "replace after 1",
    ]
