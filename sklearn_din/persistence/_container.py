"""A document and arrays as the bytes of a safetensors file with a checksum, written in one step."""

import errno
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
from sklearn_din.utils._pieces import shown

FORMAT = 1
KEY = "sklearn_din"  # of the document in the metadata of the file
CHECKSUM = "sha256"  # a tensor of bytes: of the last type, and the last of its names, so that it ends the file
CHECKSUM_BYTES = hashlib.sha256().digest_size
LONGEST_STEM = 50  # of the name of the temporary file: names are limited to 255 bytes
MOST_VERSIONS = 20  # that a message shows
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
        Of the types in ``TYPES``, contiguous.

    Raises
    ------
    OSError
        If the file can't be written.
    ValueError
        If the document is too large.
    """
    text = json.dumps({"format": FORMAT, **document}, allow_nan=False, separators=(",", ":"))
    try:
        data = save({**arrays, CHECKSUM: np.zeros(CHECKSUM_BYTES, dtype=np.uint8)}, metadata={KEY: text})
    except SafetensorError as error:
        msg = f"The model can't be written: {error}. The text in it, columns and parameters, may be too large."
        raise ValueError(msg) from error
    if not _ends_with_checksum(_header_of(data)):
        msg = "This version of safetensors does not write the checksum last. Install an earlier one to save models."
        raise RuntimeError(msg)
    content = memoryview(data)[:-CHECKSUM_BYTES]
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(content)
        file.write(_checksum(content))
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
        header = _header_of(data)
        document = json.loads(header["__metadata__"][KEY])
    except (ValueError, LookupError, TypeError, RecursionError):
        header, document = {}, None
    if not isinstance(document, dict):
        msg = f"{path} is not a model file of sklearn_din, or damaged. Give a file that save_model wrote."
        raise ModelFileError(msg)
    if document.get("format") != FORMAT or type(document["format"]) is not int:
        msg = (
            f"{path} is of format {shown(document.get('format'))}, or damaged: this version of sklearn_din reads "
            f"format {FORMAT}. Install the version that wrote it: {versions_of(document)}."
        )
        raise ModelFileError(msg)
    if not _ends_with_checksum(header) or data[-CHECKSUM_BYTES:] != _checksum(memoryview(data)[:-CHECKSUM_BYTES]):
        msg = f"{path} is damaged: its {len(data)} bytes are not those that were written. Copy it again, whole."
        raise ModelFileError(msg)
    try:
        arrays = {name: _array(tensor) for name, tensor in deserialize(data) if name != CHECKSUM}
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
    pairs = list(versions.items())[:MOST_VERSIONS] if isinstance(versions, dict) else []
    return ", ".join(f"{shown(name)[1:-1]} {shown(number)[1:-1]}" for name, number in pairs) or "unknown versions"


def _header_of(data: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
    return header


def _ends_with_checksum(header: Mapping[str, Any]) -> bool:
    """Return whether the checksum is the last of the tensors: no other one lies in what is not covered by it."""
    try:
        ends = {name: tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"}
        checksum = ends.pop(CHECKSUM)
        return bool(checksum == max(ends.values(), default=0) + CHECKSUM_BYTES)
    except (AttributeError, LookupError, TypeError):
        return False


def _checksum(content: memoryview) -> bytes:
    return hashlib.sha256(content).digest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a new file beside ``path``, which becomes it at the end, or goes if there is an error."""
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
        reason = errno.EACCES if target.is_file() else errno.EISDIR if target.is_dir() else errno.EEXIST
        raise OSError(reason, os.strerror(reason), str(path))
    temporary = target.with_name(f".{target.name[:LONGEST_STEM]}.{secrets.token_hex(8)}.tmp")
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
