"""The forms in which DICOM lies on a disk: transfer syntaxes, preambles, names, folders, archives."""

import base64
import io
import shutil
import struct
import tarfile
import warnings
import zipfile
import zlib

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import COUNT, image_dataset, save, scene, slice_tags, write_series
from helpers import array
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom import pixels
from StrokeSAMLib.io.reading import read_image

# The frame j + 2 i of 64 × 64 pixels in 16 bits, encoded by OpenJPH.
HTJ2K_FRAME = (
    "/0//UQApQAAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQ"
    "kJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAMUAAf+TwAArAP9/tf9t/kf+AoG0AMAAE0AAEwAI8gCCdACi+AADVADA"
    "ABUQAAVAQgjxqnACdQAQAP7Byey1AMAAFZAABWAAAAAA58Cnp6fCeAAIAAD+/ZJ79knsuADAABacAAFeAAAAAAAA+f8Ap6enp6enp0J9AAIA/v94"
    "Z+/f79/v3+y8AMAALZgABaoAAAAA/r/8FPT09PT09PT09PT09PT08nUBAAAAAP9/2wOuuuuuuuuuuuuuupEB/9k="
)
TRUTH = np.stack([scene(k) for k in range(COUNT)])


def rewrite(folder, change):
    """Replace each file by the bytes that `change` makes of its data set."""
    for path in sorted(folder.rglob("*")):
        data = pydicom.dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            change(data, path)
    return folder


def bare(implicit, little):
    """Write without preamble and file meta information."""

    def change(data, path):
        plain = pydicom.Dataset()
        plain.update(data)
        if not little:
            plain.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()
        plain.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=False)

    return change


def compressed(syntax):
    def change(data, path):
        data.compress(syntax)
        data.save_as(path)

    return change


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_native_syntaxes_are_read_without_a_suffix(tmp_path, syntax):
    image = read_image(write_series(tmp_path, syntax=syntax, suffix=""))
    np.testing.assert_array_equal(array(image), TRUTH)


def test_bytes_in_big_endian_words_are_read(tmp_path):
    values = lambda k: scene(k) % 251  # noqa: E731
    for k in range(COUNT):
        stored = values(k).astype(np.uint8)
        data = image_dataset(stored, syntax=ExplicitVRBigEndian, SeriesInstanceUID="1.2", **slice_tags(k))
        data.PixelData = stored.ravel().view(np.uint16).byteswap().tobytes()
        data["PixelData"].VR = "OW"
        save(data, tmp_path / f"{k}")
    np.testing.assert_array_equal(array(read_image(tmp_path)), np.stack([values(k) for k in range(COUNT)]))


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_files_without_preamble_are_read(tmp_path, implicit, little):
    folder = rewrite(write_series(tmp_path, suffix=""), bare(implicit, little))
    np.testing.assert_array_equal(array(read_image(folder)), TRUTH)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("decoder", ["pydicom", "GDCM"])
def test_compressed_syntaxes_are_read_with_and_without_the_decoders_of_pydicom(tmp_path, monkeypatch, syntax, decoder):
    truth = [scene(k, 64, 64) for k in range(COUNT)]  # JPEG 2000 takes no smaller matrix
    folder = rewrite(write_series(tmp_path, values=lambda k: truth[k]), compressed(syntax))
    if decoder == "GDCM":
        monkeypatch.setattr(pixels, "decoder_plugin", lambda syntax: None)
    np.testing.assert_array_equal(array(read_image(folder)), truth)


def test_lossless_jpeg_is_read(tmp_path):
    """SimpleITK writes it; its reader is GDCM, whose wheel is not among the dependencies."""
    write_series(tmp_path / "plain", values=lambda k: scene(k) % 4096, kind=np.uint16)
    folder = tmp_path / "jpeg"
    folder.mkdir()
    for path in sorted((tmp_path / "plain").iterdir()):
        reader, writer = sitk.ImageFileReader(), sitk.ImageFileWriter()
        reader.SetFileName(str(path))
        image = reader.Execute()
        image.SetOrigin(pydicom.dcmread(path).ImagePositionPatient)
        writer.SetImageIO("GDCMImageIO")
        writer.SetCompressor("JPEG")
        writer.UseCompressionOn()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / path.name))
        writer.Execute(image)
    syntaxes = {pydicom.dcmread(path).file_meta.TransferSyntaxUID.name for path in folder.iterdir()}
    assert all("JPEG Lossless" in name for name in syntaxes)
    np.testing.assert_array_equal(array(read_image(folder)), TRUTH % 4096)


def test_high_throughput_jpeg_2000_is_read(tmp_path):
    for k in range(COUNT):
        data = image_dataset(np.zeros((64, 64), np.uint16), SeriesInstanceUID="1.2", **slice_tags(k))
        data.PixelData = encapsulate([base64.b64decode(HTJ2K_FRAME)])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
        data.file_meta.TransferSyntaxUID = HTJ2KLossless
        save(data, tmp_path / f"{k}.dcm")
    j, i = np.indices((64, 64))
    np.testing.assert_array_equal(array(read_image(tmp_path))[3], j + 2 * i)


def test_a_file_that_no_decoder_reads_is_refused_in_one_line(tmp_path):
    folder = rewrite(write_series(tmp_path), compressed(RLELossless))
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = JPEG2000Lossless
        data.save_as(path)
    with pytest.raises(
        InputError, match=r"000\.dcm cannot be decompressed \(JPEG 2000 .*\): it is damaged, or"
    ) as error:
        read_image(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_expb.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("MR_small_padded.dcm", "MR_small.dcm"),
    ],
)
def test_files_of_pydicom_are_read_alike_in_every_syntax(name, peer):
    one, other = (read_image(get_testdata_file(entry)) for entry in (name, peer))
    np.testing.assert_array_equal(array(one), array(other))
    assert one.GetSpacing() == other.GetSpacing()


class TestPlaces:
    def test_slices_in_nested_folders_make_one_volume(self, tmp_path):
        write_series(tmp_path)
        for path in sorted(tmp_path.iterdir())[3:]:
            (tmp_path / "deep" / "er").mkdir(parents=True, exist_ok=True)
            path.rename(tmp_path / "deep" / "er" / path.name)
        np.testing.assert_array_equal(array(read_image(tmp_path)), TRUTH)

    def test_a_dicomdir_stands_for_its_folder(self, tmp_path):
        write_series(tmp_path / "IMAGES", suffix="")
        for folder in (tmp_path, tmp_path / "IMAGES"):
            shutil.copy(get_testdata_file("DICOMDIR"), folder)
        for path in (tmp_path, tmp_path / "DICOMDIR"):
            np.testing.assert_array_equal(array(read_image(path)), TRUTH)

    def test_one_multi_frame_file_is_read_by_its_name(self):
        assert read_image(get_testdata_file("rtdose.dcm")).GetSize() == (10, 10, 15)

    def test_a_zip_is_read(self, tmp_path):
        write_series(tmp_path / "scan")
        with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in (tmp_path / "scan").iterdir():
                archive.write(path, f"patient/scan/{path.name}")
            archive.writestr("patient/readme.txt", "notes")
        np.testing.assert_array_equal(array(read_image(tmp_path / "study.zip")), TRUTH)

    @pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
    def test_a_tar_is_read(self, tmp_path, suffix):
        write_series(tmp_path / "scan")
        with tarfile.open(tmp_path / f"study{suffix}", "w:gz" if "g" in suffix else "w") as archive:
            archive.add(tmp_path / "scan", "scan")
        np.testing.assert_array_equal(array(read_image(tmp_path / f"study{suffix}")), TRUTH)

    def test_a_member_named_after_another_place_is_not_written_there(self, tmp_path):
        data = io.BytesIO()
        image_dataset(scene(0).astype(np.int16), SeriesInstanceUID="1.2", **slice_tags(0)).save_as(
            data, enforce_file_format=True
        )
        (tmp_path / "inner").mkdir()
        with zipfile.ZipFile(tmp_path / "inner" / "a.zip", "w") as archive:
            for name in ("../../evil.dcm", "/evil.dcm", "..\\evil2.dcm"):
                archive.writestr(name, data.getvalue())
        with tarfile.open(tmp_path / "inner" / "b.tar", "w") as archive:
            link = tarfile.TarInfo("link.dcm")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        before = set(tmp_path.rglob("*"))
        read_image(tmp_path / "inner" / "a.zip")
        with pytest.raises(InputError, match="no DICOM images"):
            read_image(tmp_path / "inner" / "b.tar")
        assert set(tmp_path.rglob("*")) == before

    def test_an_archive_that_grows_beyond_measure_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("StrokeSAMLib.io.dicom.archives._ALWAYS_ALLOWED_BYTES", 1 << 20)
        with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.dcm", bytes(1 << 24))
        with pytest.raises(InputError, match="grows to more than 200 times its size"):
            read_image(tmp_path / "bomb.zip")

    def test_a_deflated_file_that_grows_beyond_measure_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("StrokeSAMLib.io.dicom.bytestream._ALWAYS_ALLOWED_BYTES", 1 << 16)
        path = write_series(tmp_path, count=1, syntax=DeflatedExplicitVRLittleEndian) / "000.dcm"
        content = path.read_bytes()
        start = 132 + 12 + struct.unpack_from("<I", content, 140)[0]
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        path.write_bytes(content[:start] + deflater.compress(bytes(1 << 24)) + deflater.flush())
        with pytest.raises(InputError, match=r"000\.dcm is a deflated file that grows"):
            read_image(tmp_path)

    @pytest.mark.parametrize("name", ["study.zip", "study.tar"])
    def test_a_damaged_archive_is_refused(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"PK\3\4 nothing of the kind" * 40)
        with pytest.raises(InputError, match="archive is damaged"):
            read_image(tmp_path / name)

    def test_a_folder_without_dicom_is_refused(self, tmp_path):
        (tmp_path / "notes.txt").write_text("08 00 notes")
        with pytest.raises(InputError, match="no DICOM images"):
            read_image(tmp_path)
