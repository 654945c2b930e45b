"""`strokesam prompt` and `strokesam replay`: input and output files, one line of error."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import dice

from StrokeSAMLib import cli


@pytest.fixture
def scan(tmp_path):
    volume = np.full((9, 60, 60), 60, np.int16)
    volume[2:7, 20:40, 22:38] = 180
    volume[:, 0, 0] = 0
    volume[:, 0, 1] = 240
    image = sitk.GetImageFromArray(volume.astype(np.uint8))
    image.SetSpacing((1, 1, 4))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "scan.nii.gz"))
    return tmp_path / "scan.nii.gz"


@pytest.fixture
def prompts(scan, tmp_path):
    """A function that writes a file of prompts, given as (type, voxel indices, label), in RAS."""
    image = sitk.ReadImage(str(scan))

    def ras(index):
        x, y, z = image.TransformContinuousIndexToPhysicalPoint([float(n) for n in index])
        return [-x, -y, z]

    def write(*entries, space="RAS"):
        written = []
        for kind, place, *label in entries:
            if kind == "box":
                written.append({"type": "box", "corners": [ras(corner) for corner in place]})
            elif kind == "point":
                written.append({"type": "point", "position": ras(place), "label": label[0]})
            elif kind in ("scribble", "lasso"):
                written.append({"type": kind, "points": [ras(index) for index in place], "label": label[0]})
            else:
                written.append({"type": "mask", "file": place})
        path = tmp_path / "prompts.json"
        path.write_text(json.dumps({"space": space, "prompts": written}))
        return path

    return write


BOX = ("box", [(22, 20, 4), (37, 39, 4)])


def run(*arguments):
    return cli.run([str(argument) for argument in arguments])


def voxels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))) > 0


def test_a_box_becomes_a_segment_and_its_session_can_be_replayed(scan, prompts, tmp_path, capsys):
    out = tmp_path / "segment.nii.gz"
    assert run("prompt", scan, "--prompts", prompts(BOX), "-o", out) == 0
    assert re.match(r"segment 6\.\d ml, 5 slices → ", capsys.readouterr().out)
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(scan))) == 180
    segment = voxels(out)
    assert dice(segment, truth) > 0.95
    assert run("replay", tmp_path / "segment.json", scan, "-o", tmp_path / "again.nii.gz") == 0
    assert (voxels(tmp_path / "again.nii.gz") == segment).all()
    assert (tmp_path / "again.json").read_text("utf-8") == (tmp_path / "segment.json").read_text("utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_an_encoding_without_the_arrow(scan, prompts, tmp_path, encoding):
    """A redirected Windows console or a bare C locale: the mask is written, without an error."""
    command = ("prompt", scan, "--prompts", prompts(BOX), "-o", tmp_path / "ergebnis-ñ-脑.nii.gz")
    process = run_process(*command, encoding=encoding)
    assert process.returncode == 0 and process.stderr == b""
    arrow = "→" if encoding == "utf-8" else "->"
    name = "ergebnis-ñ-脑.nii.gz".encode(encoding, "backslashreplace").decode(encoding)
    assert f"5 slices {arrow} " in process.stdout.decode(encoding) and name in process.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_table_and_an_error_in_an_encoding_without_their_signs(encoding):
    listed = run_process("methods", encoding=encoding)
    assert listed.returncode == 0 and b"random-walker" in listed.stdout
    refused = run_process("methods", "脑", encoding=encoding)
    assert refused.returncode == 2 and refused.stderr.count(b"\n") == 1 and b"\\u8111" in refused.stderr


def run_process(*arguments, encoding):
    code = "import sys; from StrokeSAMLib.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, env=environment)


def test_scribbles_and_lassos(scan, prompts, tmp_path):
    """They and a box in 3-D are replayed from the record, too."""
    lasso = ("lasso", [(22, 20, 4), (37, 20, 4), (37, 39, 4), (22, 39, 4)], 1)
    scribble = ("scribble", [(24, 22, 4), (35, 22, 4)], 0)
    out, again = tmp_path / "segment.nrrd", tmp_path / "again.nrrd"
    file = prompts(lasso, scribble, ("box", [(22, 20, 3), (37, 39, 5)]))
    assert run("prompt", scan, "--prompts", file, "-o", out) == 0
    assert voxels(out)[4, 30, 30] and not voxels(out)[4, 22, 24:36].any()
    assert run("replay", tmp_path / "segment.json", scan, "-o", again) == 0
    assert (voxels(again) == voxels(out)).all()


def test_without_propagation(scan, prompts, tmp_path):
    out = tmp_path / "segment.nrrd"
    assert run("prompt", scan, "--prompts", prompts(BOX), "--propagation", "none", "-o", out) == 0
    assert np.flatnonzero(voxels(out).any(axis=(1, 2))).tolist() == [4]


def test_within_a_range(scan, prompts, tmp_path):
    out = tmp_path / "segment.nii.gz"
    assert run("prompt", scan, "--prompts", prompts(BOX), "--range", 3, 5, "-o", out) == 0
    assert np.flatnonzero(voxels(out).any(axis=(1, 2))).tolist() == [3, 4, 5]


def test_a_box_across_slices_limits_the_propagation(scan, prompts, tmp_path):
    out = tmp_path / "segment.nii.gz"
    box = ("box", [(22, 20, 3), (37, 39, 6)])
    assert run("prompt", scan, "--prompts", prompts(box), "-o", out) == 0
    assert np.flatnonzero(voxels(out).any(axis=(1, 2))).tolist() == [3, 4, 5, 6]


def test_a_box_drawn_on_a_sagittal_slice(scan, prompts, tmp_path):
    out = tmp_path / "segment.nii.gz"
    box = ("box", [(30, 20, 2), (30, 39, 6)])
    assert run("prompt", scan, "--prompts", prompts(box), "-o", out) == 0
    assert json.loads((tmp_path / "segment.json").read_text("utf-8"))["plane"] == {"axis": 0}
    assert voxels(out)[3:6, 22:38, 24:36].all()


def test_points_and_a_mask(scan, prompts, tmp_path):
    start = np.zeros((9, 60, 60), np.uint8)
    start[4, 20:40, 22:38] = 1
    mask = sitk.GetImageFromArray(start)
    mask.CopyInformation(sitk.ReadImage(str(scan)))
    sitk.WriteImage(mask, str(tmp_path / "start.nii.gz"))
    out = tmp_path / "segment.nii.gz"
    file = prompts(("mask", "start.nii.gz"), ("point", (30, 30, 3), 1))
    assert run("prompt", scan, "--prompts", file, "-o", out) == 0
    assert voxels(out)[2:7, 22:38, 24:36].all()


class TestBadInput:
    @pytest.fixture
    def refuse(self, scan, tmp_path, capsys):
        """Run the command; assert status 2, one line on stderr, nothing on stdout, no new file."""

        def check(*arguments, reason):
            before = sorted(tmp_path.rglob("*"))
            assert run(*arguments) == 2
            out, err = capsys.readouterr()
            assert out == "" and err.count("\n") == 1 and reason in err, err
            assert sorted(tmp_path.rglob("*")) == before

        return check

    def test_a_prompt_outside_the_volume(self, refuse, scan, prompts, tmp_path):
        file = prompts(BOX, ("point", (30, 30, 20), 1))
        out = tmp_path / "o.nrrd"
        refuse("prompt", scan, "--prompts", file, "-o", out, reason=f"{file}: prompt 2: point (")

    def test_a_number_too_large_for_a_float(self, refuse, scan, tmp_path):
        point = f'{{"type": "point", "position": [{"9" * 400}, 2, 3]}}'
        (tmp_path / "p.json").write_text(f'{{"space": "RAS", "prompts": [{point}]}}')
        refuse("prompt", scan, "--prompts", tmp_path / "p.json", "-o", tmp_path / "o.nrrd", reason="p.json: prompt 1")

    def test_only_negative_points(self, refuse, scan, prompts, tmp_path):
        file = prompts(("point", (30, 30, 4), 0))
        refuse("prompt", scan, "--prompts", file, "-o", tmp_path / "o.nrrd", reason="only negative points")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "prompts.json: not JSON"),
            ("[]", "prompts.json: no prompts"),
            ("[" * 100_000, "prompts.json: cannot be read: its JSON is nested too deeply"),
            ('{"space": "IJK", "prompts": [{}]}', "space is 'IJK'"),
            ('{"prompts": [{}]}', "space is None"),
            ('{"space": "RAS", "prompts": []}', "list of prompts is empty"),
            ('{"space": "RAS", "prompts": [{"type": "line"}]}', "prompt 1: type is 'line'"),
            ('{"space": "RAS", "prompts": [{"type": "point", "position": [1, 2, NaN]}]}', "three finite numbers"),
            ('{"space": "RAS", "prompts": [{"type": "point", "position": [1, 2]}]}', "three finite numbers"),
            ('{"space": "RAS", "prompts": [{"type": "point", "position": [1, 2, 3], "label": 2}]}', "label is 2"),
            ('{"space": "RAS", "prompts": [{"type": "box", "corners": [[1, 2, 3]]}]}', "two corners"),
            ('{"space": "RAS", "prompts": [{"type": "lasso", "points": [[1, 2, 3]]}]}', "a lasso needs 3 to"),
            ('{"space": "RAS", "prompts": [{"type": "scribble"}]}', "a scribble needs 1 to"),
            ('{"space": "RAS", "prompts": [{"type": "mask", "file": "none.nrrd"}]}', "none.nrrd"),
        ],
    )
    def test_a_bad_file(self, refuse, scan, tmp_path, text, reason):
        (tmp_path / "prompts.json").write_text(text)
        refuse("prompt", scan, "--prompts", tmp_path / "prompts.json", "-o", tmp_path / "o.nrrd", reason=reason)

    def test_an_engine_without_weights(self, refuse, scan, prompts, tmp_path):
        file = prompts(BOX)
        command = ("prompt", scan, "--prompts", file, "--engine", "medsam2", "-o", tmp_path / "o.nrrd")
        refuse(*command, reason="engine medsam2 needs")

    def test_an_unknown_option(self, refuse, scan, prompts, tmp_path):
        command = ("prompt", scan, "--prompts", prompts(BOX), "--set", "speed=9", "-o", tmp_path / "o.nrrd")
        refuse(*command, reason="engine random-walker has no option 'speed'")

    @pytest.mark.parametrize(
        ("option", "value", "reason"),
        [
            ("--device", "foo", "device is 'foo'; it must be one of auto, cpu, cuda, mps"),
            ("--weights", "prompts.json", "engine random-walker takes no weights; prompts.json was given"),
        ],
    )
    def test_an_argument_that_the_engine_would_ignore(self, refuse, scan, prompts, tmp_path, option, value, reason):
        command = ("prompt", scan, "--prompts", prompts(BOX), option, value, "-o", tmp_path / "o.nrrd")
        refuse(*command, reason=reason)

    def test_an_unknown_engine(self, refuse, scan, prompts, tmp_path):
        file = prompts(BOX)
        command = ("prompt", scan, "--prompts", file, "--engine", "sam9", "-o", tmp_path / "o.nrrd")
        refuse(*command, reason="no engine 'sam9'; there are: random-walker")

    def test_the_output_is_the_scan(self, refuse, scan, prompts):
        refuse("prompt", scan, "--prompts", prompts(BOX), "-o", scan, reason="one of the inputs")

    def test_an_unsupported_format_of_the_mask(self, refuse, scan, prompts, tmp_path):
        command = ("prompt", scan, "--prompts", prompts(BOX), "-o", tmp_path / "q.png")
        refuse(*command, reason="q.png: an image cannot be saved under this name; use .nii.gz")

    def test_the_session_file_would_overwrite_the_prompts(self, refuse, scan, prompts, tmp_path):
        file = prompts(BOX)
        refuse("prompt", scan, "--prompts", file, "-o", tmp_path / "prompts.nrrd", reason="one of the inputs")

    def test_a_volume_that_changed(self, refuse, scan, prompts, tmp_path, capsys):
        out = tmp_path / "segment.nii.gz"
        assert run("prompt", scan, "--prompts", prompts(BOX), "-o", out) == 0
        other = sitk.ReadImage(str(scan))
        other[5, 5, 5] = 77
        sitk.WriteImage(other, str(tmp_path / "other.nii.gz"))
        capsys.readouterr()
        command = ("replay", tmp_path / "segment.json", tmp_path / "other.nii.gz", "-o", tmp_path / "again.nii.gz")
        refuse(*command, reason="other.nii.gz: not the volume of the session: its hash is")
