"""Reading of safetensors files without PyTorch."""

import json

import numpy as np
import pytest

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.nets.plain.safetensors_file import check_shapes, read_weights


def file_with(folder, header, values=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "weights.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)
    return path


def entry(shape, start, end, dtype="F16"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_reads_halves_and_singles_as_float32(tmp_path):
    half, single = np.arange(6, dtype="<f2").reshape(2, 3), np.arange(2, dtype="<f4")
    header = {"__metadata__": {"a": "b"}, "half": entry([2, 3], 0, 12), "single": entry([2], 12, 20, "F32")}
    weights = read_weights(file_with(tmp_path, header, half.tobytes() + single.tobytes()))
    assert weights.keys() == {"half", "single"}
    assert all(value.dtype == np.float32 for value in weights.values())
    np.testing.assert_array_equal(weights["half"], half)
    np.testing.assert_array_equal(weights["single"], single)


def test_reads_what_the_safetensors_package_writes(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    expected = {"a": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float16), "b": np.ones(5, np.float32)}
    save_file(expected, tmp_path / "w.safetensors", {"network": "x"})
    weights = read_weights(tmp_path / "w.safetensors")
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (b"no JSON", b""),
        ([1, 2], b""),
        ({"a": 3}, b""),
        ({"a": entry([2], 0, 4, "I64")}, b"\0" * 4),
        ({"a": entry([2], 0, 400)}, b"\0" * 4),
        ({"a": entry([2], -4, 0)}, b"\0" * 4),
        ({"a": entry([3], 0, 4)}, b"\0" * 4),
        ({"a": entry(["x"], 0, 4)}, b"\0" * 4),
        ({"a": {"dtype": "F16"}}, b""),
        (b"[" * 100_000, b""),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, header, values):
    with pytest.raises(InputError, match=r"weights\.safetensors: not a safetensors file, or a damaged one"):
        read_weights(file_with(tmp_path, header, values))


def test_a_missing_and_an_empty_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        read_weights(tmp_path / "empty.safetensors")


def test_weights_of_another_network_are_refused():
    check_shapes({"a": np.zeros((2, 3))}, {"a": (2, 3)}, "file")
    for weights, error in (
        ({}, "file: weights of another network: a is missing"),
        ({"a": np.zeros((2, 3)), "b": np.zeros(1)}, "b is unknown"),
        ({"a": np.zeros(2)}, r"a has shape \(2,\), not \(2, 3\)"),
        ({"a": np.full((2, 3), np.nan)}, "not finite"),
    ):
        with pytest.raises(InputError, match=error):
            check_shapes(weights, {"a": (2, 3)}, "file")
