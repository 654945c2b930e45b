"""Reading of intact files and of files with every kind of damage that users have met."""

import gzip
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.native_stderr import native_stderr_silenced
from StrokeSAMLib.io.reading import read_image

SIZE = (16, 12, 10)


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.integers(-1000, 1000, SIZE[::-1]).astype(np.int16))
    image.SetSpacing((0.5, 0.6, 5.0))
    return image


@pytest.fixture
def nifti(tmp_path, volume):
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(volume, str(path))
    return path


def refusal(path):
    """Read `path`, assert an error of one line with its name, and return its text."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


def patch_header(path, offset, value_format, *values):
    raw = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(value_format, raw, offset, *values)
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "nhdr", "mha", "mhd", "hdr", "img"])
def test_reads_every_format(tmp_path, volume, suffix):
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume, str(path))
    image = read_image(path)
    assert image.GetPixelID() == sitk.sitkInt16
    assert image.GetSpacing() == pytest.approx(volume.GetSpacing())
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(volume))


def test_refuses_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.nii.gz")


def test_refuses_an_empty_file(tmp_path):
    path = tmp_path / "empty.nii.gz"
    path.touch()
    assert "empty" in refusal(path)


@pytest.mark.parametrize("name", ["text.nii.gz", "text.nii", "text.mha", "text.nrrd"])
def test_refuses_a_text_file_with_the_name_of_an_image(tmp_path, name):
    path = tmp_path / name
    path.write_text("not an image\n" * 50)
    refusal(path)


def test_refuses_a_truncated_gzip_that_itk_would_fill_with_zeros(nifti):
    content = nifti.read_bytes()
    nifti.write_bytes(content[: len(content) // 2])
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    assert sitk.ReadImage(str(nifti)).GetSize() == SIZE  # ITK itself reads it
    assert "truncated" in refusal(nifti)


@pytest.mark.parametrize("name", ["scan.nii", "scan.mha", "scan.nrrd"])
def test_refuses_truncated_raw_voxels(tmp_path, volume, name):
    path = tmp_path / name
    sitk.WriteImage(volume, str(path), useCompression=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 800])
    refusal(path)


class TestTwoFiles:
    """A header file and a voxel file."""

    @pytest.fixture(params=["scan.hdr", "scan.img", "scan.mhd"])
    def path(self, request, tmp_path, volume):
        path = tmp_path / request.param
        sitk.WriteImage(volume, str(path), useCompression=False)
        return path

    def voxels(self, path):
        return path.with_suffix(".raw" if path.suffix == ".mhd" else ".img")

    def test_half_of_the_voxels(self, path):
        voxels = self.voxels(path)
        voxels.write_bytes(voxels.read_bytes()[: voxels.stat().st_size // 2])
        text = refusal(path)
        assert "truncated" in text and str(np.prod(SIZE) * 2) in text

    def test_a_missing_second_file(self, path):
        other = path.with_suffix(".hdr") if path.suffix == ".img" else self.voxels(path)
        other.unlink()
        assert f"{other.name}, is missing" in refusal(path)

    def test_compressed_voxels_of_a_pair(self, tmp_path, volume):
        path = tmp_path / "scan.hdr"
        sitk.WriteImage(volume, str(path))
        content = path.with_suffix(".img").read_bytes()
        path.with_suffix(".img").unlink()
        path.with_suffix(".img.gz").write_bytes(gzip.compress(content))
        assert read_image(path).GetSize() == SIZE
        path.with_suffix(".img.gz").write_bytes(gzip.compress(content)[:2000])
        assert "truncated" in refusal(path)


@pytest.mark.parametrize("name", ["scan.vtk", "scan.gipl", "scan.tif", "scan"])
def test_refuses_an_unsupported_format(tmp_path, volume, name):
    path = tmp_path / name
    if path.suffix in (".vtk", ".gipl", ".tif"):
        sitk.WriteImage(volume, str(path))
    else:
        path.write_text("something")
    assert "unsupported file format" in refusal(path)


@pytest.mark.parametrize("name", ["scan.mha", "scan.mhd"])
def test_a_truncated_compressed_metaimage_is_called_truncated_on_one_line(tmp_path, volume, capfd, name):
    path = tmp_path / name
    sitk.WriteImage(volume, str(path), useCompression=True)
    voxels = path.with_suffix(".zraw") if path.suffix == ".mhd" else path
    voxels.write_bytes(voxels.read_bytes()[:-500])
    assert "truncated or damaged" in refusal(path)
    assert capfd.readouterr().err == ""


def test_an_unknown_voxel_type_is_refused_on_one_line(nifti, capfd):
    patch_header(nifti, 70, "<h", 9999)
    assert "0x" not in refusal(nifti)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("offset", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_refuses_an_impossible_offset_of_the_voxels(nifti, offset):
    patch_header(nifti, 108, "<f", offset)
    refusal(nifti)


def test_a_file_that_cannot_be_opened(tmp_path, volume):
    if os.geteuid() == 0:
        pytest.skip("root may read anything")
    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(volume, str(path))
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(path)


class TestSilence:
    """All threads of the process share its stderr, which must be restored."""

    def test_stderr_is_restored_after_an_error(self, capfd):
        with pytest.raises(RuntimeError), native_stderr_silenced():
            os.write(2, b"silenced")
            raise RuntimeError
        os.write(2, b"printed")
        assert capfd.readouterr().err == "printed"

    def test_threads_that_overlap(self, capfd):
        """The first thread to begin is the first to end."""
        begun, ended = threading.Event(), threading.Event()

        def second():
            with native_stderr_silenced():
                begun.set()
                ended.wait(10)
                os.write(2, b"silenced")

        thread = threading.Thread(target=second)
        with native_stderr_silenced():
            thread.start()
            assert begun.wait(10)
        ended.set()
        thread.join()
        os.write(2, b"printed")
        assert capfd.readouterr().err == "printed"

    def test_no_file_stays_open(self):
        opened = Path("/proc/self/fd")
        if not opened.is_dir():
            pytest.skip("no list of open files here")
        before = len(list(opened.iterdir()))
        for _ in range(5):
            with native_stderr_silenced():
                pass
        assert len(list(opened.iterdir())) == before


def test_refuses_a_damaged_gzip(nifti):
    content = bytearray(nifti.read_bytes())
    content[-6] ^= 0xFF  # the checksum
    nifti.write_bytes(bytes(content))
    assert "damaged" in refusal(nifti)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_nifti_spacing_that_is_not_positive(nifti, spacing):
    patch_header(nifti, 80, "<f", spacing)
    assert "spacing" in refusal(nifti)


@pytest.mark.parametrize("spacing", ["0 1 1", "-1 1 1"])
def test_refuses_a_metaimage_spacing_that_is_not_positive(tmp_path, volume, spacing):
    path = tmp_path / "scan.mha"
    volume.SetSpacing((1, 1, 1))
    sitk.WriteImage(volume, str(path))
    path.write_bytes(path.read_bytes().replace(b"ElementSpacing = 1 1 1", f"ElementSpacing = {spacing}".encode()))
    assert "spacing" in refusal(path)


def test_refuses_a_2d_image(tmp_path, volume):
    path = tmp_path / "slice.nii.gz"
    sitk.WriteImage(volume[:, :, 3], str(path))
    assert "2-D" in refusal(path)


def test_refuses_a_4d_image_but_takes_a_single_time_point(tmp_path, volume):
    path = tmp_path / "series.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([volume, volume]), str(path))
    assert "4-D" in refusal(path)
    sitk.WriteImage(sitk.JoinSeries([volume]), str(path))
    assert read_image(path).GetSize() == SIZE


def test_refuses_a_colour_image(tmp_path, volume):
    path = tmp_path / "colour.nrrd"
    byte = sitk.Cast(volume, sitk.sitkUInt8)
    sitk.WriteImage(sitk.Compose(byte, byte, byte), str(path))
    assert "3 components" in refusal(path)


def test_itk_writes_nothing_to_stderr(nifti, capfd):
    patch_header(nifti, 80, "<f", -1.0)
    refusal(nifti)
    assert capfd.readouterr().err == ""


def test_refuses_an_impossible_file_name(tmp_path):
    assert "cannot be accessed: File name too long" in refusal(tmp_path / ("x" * 300 + ".nii.gz"))
