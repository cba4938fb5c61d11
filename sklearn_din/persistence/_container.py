"""A document and arrays as the bytes of a safetensors file with a checksum, written in one step."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from sklearn_din.exceptions import ModelFileError

FORMAT = 1
KEY = "sklearn_din"  # of the document in the metadata of the file
CHECKSUM = "sha256"  # a tensor of bytes: of the last type, and the last of its names, so that it ends the file
N_BYTES = hashlib.sha256().digest_size
TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
}


def write_container(path: Path, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file, or leave the one that is there.

    Parameters
    ----------
    path : Path
        The file; a link is followed.
    document : mapping
        Of what JSON knows.
    arrays : mapping of str to ndarray
        Of the types in ``TYPES``, contiguous; their names come before ``CHECKSUM``.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    text = json.dumps({"format": FORMAT, **document}, allow_nan=False, separators=(",", ":"))
    data = save({**arrays, CHECKSUM: np.zeros(N_BYTES, dtype=np.uint8)}, metadata={KEY: text})
    content = memoryview(data)[:-N_BYTES]
    with _replacing(path) as temporary, temporary.open("xb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())
        file.flush()
        os.fsync(file.fileno())


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what ``write_container`` wrote.

    Parameters
    ----------
    path : Path
        The file, of any content.

    Returns
    -------
    document : dict
        As it was written.
    arrays : dict of str to ndarray
        Writable.

    Raises
    ------
    ModelFileError
        If the file is no such file, of another format, or a byte of it is not as it was written.
    OSError
        If it can't be read.
    """
    data = path.read_bytes()
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
        document = json.loads(header["__metadata__"][KEY])
    except (ValueError, LookupError, TypeError, RecursionError):
        header = document = None
    if not isinstance(document, dict):
        msg = f"{path} is not a model file of sklearn_din. Give a file that save_model wrote."
        raise ModelFileError(msg)
    if document.get("format") != FORMAT:
        msg = (
            f"{path} is of format {document.get('format')!r}, and this version of sklearn_din reads format {FORMAT}. "
            f"Install the version that wrote it: {versions_of(document)}."
        )
        raise ModelFileError(msg)
    if hashlib.sha256(memoryview(data)[:-N_BYTES]).digest() != data[-N_BYTES:]:
        msg = f"{path} is damaged: its {len(data)} bytes are not those that were written. Copy it again, whole."
        raise ModelFileError(msg)
    try:
        tensors = dict(deserialize(data))
        arrays = {name: _array(tensor) for name, tensor in tensors.items() if name != CHECKSUM}
    except (SafetensorError, ValueError, LookupError, OverflowError) as error:
        msg = f"{path} is no whole safetensors file: {error}. Save the model again."
        raise ModelFileError(msg) from error
    return document, arrays


def versions_of(document: Mapping[str, Any]) -> str:
    """Return the versions that a document names, in words.

    Parameters
    ----------
    document : mapping
        May be damaged, or forged.

    Returns
    -------
    str
        On one line.
    """
    versions = document.get("versions")
    pairs = versions.items() if isinstance(versions, dict) else ()
    return ", ".join(f"{name} {number}"[:40] for name, number in pairs) or "unknown versions"


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give the path of a new file beside ``path``, which becomes it at the end, or goes if there is an error."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the name is safe when its folder is; elsewhere a folder can't be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _array(tensor: Mapping[str, Any]) -> NDArray[Any]:
    return np.frombuffer(tensor["data"], dtype=TYPES[tensor["dtype"]]).reshape(tensor["shape"])
