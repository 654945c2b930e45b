"""Atomic writing."""

import pytest

from StrokeSAMLib.core.files import atomic_write


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "lesion.nii.gz"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
