"""NRRD and MetaImage files as other programs write them, made line by line without a writer."""

import bz2
import gzip
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of
from StrokeSAMLib.io.reading import read_image, read_scan

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (6, 8, 10)).astype("<i2")
ENCODERS = {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}
AXES = np.array([[0.7, 0.1, 0], [-0.1, 0.8, -0.6], [0, 0, 3.0]])
ORIGIN = np.array([-20.0, 30, 5])
NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "10 8 6",
    "space directions": " ".join("(" + ",".join(map(str, column)) + ")" for column in AXES.T),
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-20,30,5)",
}
METAIMAGE = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "Offset": "-20 30 5",
    "ElementSpacing": "0.7 0.8 3",
    "DimSize": "10 8 6",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}


def nrrd(path, voxels=None, **changes):
    """Write an NRRD file; a change of None leaves out the field, and underscores stand for blanks."""
    fields = {**NRRD, **{name.replace("_", " "): value for name, value in changes.items()}}
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value is not None]
    if voxels is None:
        voxels = b"" if "data_file" in changes else ENCODERS[fields["encoding"]](VOXELS.tobytes())
    path.write_bytes(b"NRRD0005\n# a comment\n" + "".join(lines).encode() + b"\n" + voxels)
    return path


def metaimage(path, voxels=None, **changes):
    """Write a MetaImage file; a change of None leaves out the field."""
    fields = {**METAIMAGE, **changes}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    header = "".join(f"{name} = {value}\n" for name, value in fields.items() if value is not None)
    path.write_bytes(header.encode() + (VOXELS.tobytes() if voxels is None else voxels))
    return path


def assert_is_the_volume(path, axes=AXES):
    image = read_image(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS)
    np.testing.assert_allclose(affine_of(image)[:3, :3], axes, atol=1e-9)
    np.testing.assert_allclose(image.GetOrigin(), ORIGIN, atol=1e-9)


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


class TestNrrd:
    @pytest.mark.parametrize("encoding", ENCODERS)
    def test_encodings(self, tmp_path, encoding):
        assert_is_the_volume(nrrd(tmp_path / "a.nrrd", encoding=encoding))

    @pytest.mark.parametrize("encoding", ENCODERS)
    def test_a_detached_header(self, tmp_path, encoding):
        (tmp_path / "voxels.bin").write_bytes(ENCODERS[encoding](VOXELS.tobytes()))
        assert_is_the_volume(nrrd(tmp_path / "a.nhdr", encoding=encoding, data_file="voxels.bin"))

    @pytest.mark.parametrize("data_file", ["LIST\nv0\nv1\nv2\nv3\nv4\nv5", "v%d 0 5 1"])
    def test_a_detached_header_of_several_files(self, tmp_path, data_file):
        for k, plane in enumerate(VOXELS):
            (tmp_path / f"v{k}").write_bytes(plane.tobytes())
        path = nrrd(tmp_path / "a.nhdr", data_file="X")
        head, _, _ = path.read_text("utf-8").partition("data file: X")
        path.write_text(f"{head}data file: {data_file}\n")
        assert_is_the_volume(path)

    @pytest.mark.parametrize(
        ("space", "signs"),
        [
            ("right-anterior-superior", (-1, -1, 1)),
            ("RAS", (-1, -1, 1)),
            ("left-anterior-superior", (1, -1, 1)),
            ("LPS", (1, 1, 1)),
        ],
    )
    def test_spaces_of_the_patient(self, tmp_path, space, signs):
        axes = AXES * np.array(signs)[:, None]
        directions = " ".join("(" + ",".join(map(str, column)) + ")" for column in axes.T)
        origin = "(" + ",".join(map(str, ORIGIN * signs)) + ")"
        path = nrrd(tmp_path / "a.nrrd", space=space, space_directions=directions, space_origin=origin)
        assert_is_the_volume(path)
        assert read_scan(path).notes == ()

    @pytest.mark.parametrize("kind", ["list", "vector", "scalar", "point"])
    def test_a_channel_axis_of_one_before_the_axes_of_space(self, tmp_path, kind):
        directions = "none " + NRRD["space directions"]
        path = nrrd(
            tmp_path / "a.nrrd",
            dimension="4",
            sizes="1 10 8 6",
            space_directions=directions,
            kinds=f"{kind} domain domain domain",
        )
        assert_is_the_volume(path)

    def test_a_channel_axis_of_one_after_the_axes_of_space(self, tmp_path):
        directions = NRRD["space directions"] + " none"
        path = nrrd(
            tmp_path / "a.nrrd",
            dimension="4",
            sizes="10 8 6 1",
            space_directions=directions,
            kinds="domain domain domain list",
        )
        assert_is_the_volume(path)

    @pytest.mark.parametrize("centers", [None, "cell cell cell", "node node node"])
    def test_centers_do_not_move_the_origin_of_space(self, tmp_path, centers):
        assert_is_the_volume(nrrd(tmp_path / "a.nrrd", centers=centers))

    def test_colours_are_refused(self, tmp_path):
        directions = "none " + NRRD["space directions"]
        path = nrrd(
            tmp_path / "a.nrrd",
            VOXELS.tobytes() * 3,
            dimension="4",
            sizes="3 10 8 6",
            space_directions=directions,
            kinds="RGB-color domain domain domain",
        )
        assert "3 components" in refusal(path)

    def test_a_space_that_is_not_the_patients_gives_a_note(self, tmp_path):
        path = nrrd(tmp_path / "a.nrrd", space="3D-right-handed")
        assert "does not name the patient's axes" in read_scan(path).notes[0]

    def test_a_header_without_spacing_gives_a_note(self, tmp_path):
        path = nrrd(tmp_path / "a.nrrd", space=None, space_directions=None, space_origin=None)
        assert read_image(path).GetSpacing() == (1, 1, 1)
        assert "no voxel spacing" in read_scan(path).notes[0]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"sizes": "10 8"}, "sizes in its header is '10 8'"),
            ({"sizes": None}, "its header has no sizes"),
            ({"sizes": "10000 10000 10000"}, "truncated"),
            ({"sizes": "10000 10000 10000", "encoding": "gzip"}, "truncated"),
            ({"sizes": "10000 10000 1000000", "encoding": "bzip2"}, "truncated"),
            ({"type": "block"}, "voxel type 'block'"),
            ({"dimension": "16"}, "16-D"),
            ({"space_directions": "(nan,0,0) (0,1,0) (0,0,1)"}, "space directions"),
            ({"space_directions": "(1e30,0,0) (0,1,0) (0,0,1)"}, "space directions"),
            ({"space": None, "space_directions": None, "space_origin": None, "spacings": "0 1 1"}, "spacing"),
            ({"data_file": "absent.raw"}, "absent.raw, is missing"),
        ],
    )
    def test_a_field_that_cannot_be_is_named(self, tmp_path, changes, reason):
        assert reason in refusal(nrrd(tmp_path / "a.nrrd", **changes))


class TestMetaImage:
    @pytest.mark.parametrize("offset", ["Offset", "Position", "Origin"])
    @pytest.mark.parametrize("matrix", ["TransformMatrix", "Rotation", "Orientation"])
    def test_the_names_of_place_and_orientation(self, tmp_path, offset, matrix):
        turned = "0 1 0 -1 0 0 0 0 1"  # column after column
        changes = {"Offset": None, offset: "-20 30 5", matrix: turned}
        axes = np.array([[0, -0.8, 0], [0.7, 0, 0], [0, 0, 3.0]])
        assert_is_the_volume(metaimage(tmp_path / "a.mha", **changes), axes)

    def test_compressed(self, tmp_path):
        packed = zlib.compress(VOXELS.tobytes())
        path = metaimage(tmp_path / "a.mha", packed, CompressedData="True", CompressedDataSize=len(packed))
        assert_is_the_volume(path, np.diag([0.7, 0.8, 3]))

    @pytest.mark.parametrize("voxels", ["LIST\nv0\nv1\nv2\nv3\nv4\nv5\n", "v%d 0 5 1"])
    def test_several_files(self, tmp_path, voxels):
        for k, plane in enumerate(VOXELS):
            (tmp_path / f"v{k}").write_bytes(plane.tobytes())
        assert_is_the_volume(metaimage(tmp_path / "a.mhd", b"", ElementDataFile=voxels), np.diag([0.7, 0.8, 3]))

    def test_a_file_beside_it(self, tmp_path):
        (tmp_path / "v.raw").write_bytes(VOXELS.tobytes())
        assert_is_the_volume(metaimage(tmp_path / "a.mhd", b"", ElementDataFile="v.raw"), np.diag([0.7, 0.8, 3]))

    def test_a_channel_axis_of_one(self, tmp_path):
        path = metaimage(
            tmp_path / "a.mha", NDims="4", DimSize="10 8 6 1", ElementSpacing="0.7 0.8 3 1", Offset="-20 30 5 0"
        )
        assert_is_the_volume(path, np.diag([0.7, 0.8, 3]))

    def test_a_header_without_spacing_gives_a_note(self, tmp_path):
        path = metaimage(tmp_path / "a.mha", ElementSpacing=None)
        assert read_image(path).GetSpacing() == (1, 1, 1)
        assert "no voxel spacing" in read_scan(path).notes[0]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"DimSize": "10 8"}, "DimSize in its header is '10 8'"),
            ({"DimSize": "10 8 -6"}, "DimSize"),
            ({"DimSize": "10000 10000 10000"}, "truncated"),
            ({"DimSize": "10000 10000 10000", "CompressedData": "True"}, "truncated"),
            ({"NDims": "65536"}, "65536-D"),
            ({"ElementSpacing": "0.7 0 3"}, "spacing"),
            ({"Offset": "nan 0 0"}, "Offset"),
            ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "TransformMatrix"),
            ({"ElementType": "MET_STRING"}, "MET_STRING"),
            ({"ElementNumberOfChannels": "3"}, "truncated"),
            ({"BinaryData": "nan"}, "BinaryData"),
            ({"HeaderSize": "-5"}, "HeaderSize"),
        ],
    )
    def test_a_field_that_cannot_be_is_named(self, tmp_path, changes, reason):
        assert reason in refusal(metaimage(tmp_path / "a.mha", **changes))
