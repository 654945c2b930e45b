"""Files with random damage are read or refused, never worse. Testing/Benchmarks/fuzz_readers.py does more of it."""

import time
import tracemalloc

import numpy as np
import pytest
from damaged_files import damaged_file, file_seeds

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_scan

COUNT = 40
_LONGEST_S = 5.0
# The readers' own buffers, whatever the file.
_OWN_BYTES = 8 << 20

NAMES = ("intact.nrrd", "intact.nhdr", "intact.mha", "intact.mhd", "packed.nrrd", "packed.mha")
NIFTI_NAMES = ("one.nii", "one.nii.gz", "two.nii", "pair.hdr", "analyze.hdr")


@pytest.mark.parametrize("name", [*NAMES, *NIFTI_NAMES])
def test_a_damaged_header_is_read_or_refused_in_one_line(tmp_path, name, capfd):
    intact, path = file_seeds(tmp_path)[name], tmp_path / name
    read_scan(path)
    refused = 0
    for number in range(COUNT):
        content = damaged_file(name, intact, np.random.default_rng((0, number)))
        path.write_bytes(content)
        begin = time.monotonic()
        tracemalloc.start()
        try:
            read_scan(path)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
            assert tracemalloc.get_traced_memory()[1] < 3 * len(content) + _OWN_BYTES
        finally:
            tracemalloc.stop()
        assert time.monotonic() - begin < _LONGEST_S
    assert 0 < refused < COUNT
    assert capfd.readouterr() == ("", "")
