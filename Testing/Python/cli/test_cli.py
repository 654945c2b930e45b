"""The command line: output files, exit status, one line of error."""

import json
import os
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from helpers import array, dice
from PIL import Image

from StrokeSAMLib import cli
from StrokeSAMLib.io.writing import write_image
from StrokeSAMLib.phantom import head_ct
from StrokeSAMLib.report import schema


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A folder with a phantom's scan and its true lesion."""
    folder = tmp_path_factory.mktemp("head")
    phantom = head_ct(seed=6)
    write_image(phantom.ncct, folder / "ncct.nii.gz")
    write_image(phantom.lesion, folder / "truth.nii.gz")
    return folder


@pytest.fixture
def refuse(capfd, tmp_path):
    """Run the command; assert status 2, one line on stderr, nothing on stdout, no new file."""

    def run(*arguments, reason):
        before = sorted(tmp_path.rglob("*"))
        assert cli.run([str(argument) for argument in arguments]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("strokesam: ")
        assert reason in err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return run


def segment_ncct(scan, output, *more):
    return ("segment", "--method", "asymmetry", "--ncct", scan, "-o", output, *more)


def test_demo(tmp_path, capfd):
    assert cli.run(["demo", "-o", str(tmp_path / "demo")]) == 0
    assert "left" in capfd.readouterr().out
    folder = tmp_path / "demo"
    lesion, truth = (sitk.ReadImage(str(folder / name)) for name in ("lesion.nii.gz", "truth.nii.gz"))
    assert dice(lesion, truth) >= 0.80
    document = json.loads((folder / "report.json").read_text("utf-8"))
    jsonschema.validate(document, schema())
    assert document["inputs"]["ncct"]["file"] == "ncct.nii.gz"
    assert Image.open(folder / "overview.png").size[0] > 800


def test_segment_writes_all_requested_outputs(head, tmp_path, capfd):
    names = {
        "--probability": "score.nrrd",
        "--report": "report.json",
        "--overview": "sheet.png",
        "--possible": "doubt.nrrd",
    }
    more = [word for option, name in names.items() for word in (option, tmp_path / name)]
    command = segment_ncct(head / "ncct.nii.gz", tmp_path / "lesion.nii.gz", *more, "--set", "deformable=false")
    assert cli.run([str(word) for word in command]) == 0
    assert capfd.readouterr().out.startswith("lesion ")
    assert {path.name for path in tmp_path.iterdir()} == {"lesion.nii.gz", *names.values()}
    scan, lesion = (sitk.ReadImage(str(path)) for path in (head / "ncct.nii.gz", tmp_path / "lesion.nii.gz"))
    assert lesion.GetOrigin() == scan.GetOrigin()
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["options"]["deformable"] is False
    score = array(sitk.ReadImage(str(tmp_path / "score.nrrd")))
    assert 0 <= score.min() < 0.01 < 0.9 < score.max() <= 1
    doubt = array(sitk.ReadImage(str(tmp_path / "doubt.nrrd")))
    assert doubt.shape == score.shape and doubt.max() <= 1


def test_evaluate(head, tmp_path, capfd):
    truth = head / "truth.nii.gz"
    command = ["evaluate", "--reference", truth, "--prediction", truth, "-o", tmp_path / "m.csv"]
    assert cli.run([*map(str, command), "--plot", str(tmp_path / "m.png")]) == 0
    assert "1.000" in capfd.readouterr().out
    assert (tmp_path / "m.csv").read_text("utf-8").splitlines()[1].startswith("truth,1,1,0,")
    assert Image.open(tmp_path / "m.png").format == "PNG"


def test_methods_lists_inputs_and_readiness(capfd):
    assert cli.run(["methods"]) == 0
    lines = capfd.readouterr().out.splitlines()
    for method, needs in (("ncct-unet", "ncct"), ("asymmetry", "ncct"), ("diffusion", "dwi")):
        (line,) = [line for line in lines if line.split()[:1] == [method]]
        assert needs in line
        assert line.split()[-1] == "yes"
    assert cli.run(["methods", "diffusion"]) == 0
    assert "seed_adc" in capfd.readouterr().out


def test_methods_lists_the_options_of_engines(capfd):
    pytest.importorskip("sam2")
    assert cli.run(["methods", "medsam2"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert {"image_size", "precision", "encoder"} <= {line.split()[0] for line in lines}
    assert cli.run(["methods", "random-walker"]) == 0
    assert capfd.readouterr().out.strip() == "random-walker has no options"


class TestBadInput:
    def write(self, tmp_path, values, spacing=(1.0, 1.0, 1.0)):
        image = sitk.GetImageFromArray(np.asarray(values))
        image.SetSpacing(spacing)
        path = tmp_path / "scan.nii.gz"
        sitk.WriteImage(image, str(path))
        return path

    @pytest.mark.parametrize(
        ("values", "spacing", "reason"),
        [
            (np.zeros((30, 40, 40), np.int16), (1, 1, 1), "same value"),
            (np.full((30, 40, 40), 30, np.int16), (1, 1, 1), "same value"),
            (np.arange(1600, dtype=np.int16).reshape(1, 40, 40), (1, 1, 5), "too few slices"),
            (np.arange(1600, dtype=np.int16).reshape(40, 40), (1, 1), "2-D"),
            (np.full((30, 40, 40), np.nan, np.float32), (1, 1, 1), "NaN"),
            (np.arange(48000, dtype=np.int16).reshape(30, 40, 40), (20, 20, 20), "spacing"),
            (np.arange(48000, dtype=np.int16).reshape(30, 40, 40), (0.1, 0.1, 0.1), "covers only"),
            (
                np.random.default_rng(0).normal(400, 90, (30, 40, 40)).astype(np.float32),
                (4, 4, 4),
                "not look like a CT",
            ),
        ],
    )
    def test_volumes(self, refuse, tmp_path, values, spacing, reason):
        path = self.write(tmp_path, values, spacing)
        assert "scan.nii.gz" in refuse(*segment_ncct(path, tmp_path / "lesion.nii.gz"), reason=reason)

    def test_files(self, refuse, tmp_path, head):
        out = tmp_path / "lesion.nii.gz"
        refuse(*segment_ncct(tmp_path / "absent.nii.gz", out), reason="absent.nii.gz: no such file")
        broken = tmp_path / "broken.nii.gz"
        broken.write_bytes((head / "ncct.nii.gz").read_bytes()[:100000])
        refuse(*segment_ncct(broken, out), reason="broken.nii.gz: the file is truncated")
        broken.write_text("text")
        refuse(*segment_ncct(broken, out), reason="broken.nii.gz: not a gzip file")
        broken.write_bytes(b"")
        refuse(*segment_ncct(broken, out), reason="broken.nii.gz: the file is empty")

    def test_outputs(self, refuse, tmp_path, head):
        scan = head / "ncct.nii.gz"
        before = scan.read_bytes()
        refuse(*segment_ncct(scan, scan), reason="one of the inputs")
        refuse(*segment_ncct(scan, tmp_path / "absent" / "lesion.nii.gz"), reason="cannot write there")
        refuse(*segment_ncct(scan, tmp_path / "lesion.mhd"), reason="lesion.mhd: an image cannot be saved")
        refuse(*segment_ncct(scan, tmp_path / "a.nrrd", "--probability", tmp_path / "a.nrrd"), reason="the same name")
        assert scan.read_bytes() == before

    def test_an_unwritable_folder(self, refuse, tmp_path, head):
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o500)
        refuse(*segment_ncct(head / "ncct.nii.gz", folder / "lesion.nii.gz"), reason="cannot write there")

    def test_usage(self, refuse, tmp_path, head):
        scan, out = head / "ncct.nii.gz", tmp_path / "lesion.nii.gz"
        refuse("methods", "magic", reason="no method or engine 'magic'; there are: ncct-unet")
        refuse("segment", "--method", "magic", "-o", out, reason="no method 'magic'")
        refuse("segment", "--method", "asymmetry", "-o", out, reason="needs ncct")
        refuse("segment", "--method", "diffusion", "--adc", scan, "-o", out, reason="needs dwi")
        refuse(*segment_ncct(scan, out, "--set", "seed"), reason="NAME=VALUE")
        refuse(*segment_ncct(scan, out, "--set", "seed=deep"), reason="'seed' must be a number")
        refuse(*segment_ncct(scan, out, "--set", "seed=99"), reason="0.5 to 20")
        refuse("segment", "--bogus", reason="--bogus")
        refuse("evaluate", "--reference", scan, "--prediction", tmp_path, reason="two files or two folders")


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("surface_distance", "evaluation"),
        ("matplotlib.figure", "evaluation"),
        ("StrokeSAMLib.training.loop", "training"),
    ],
)
def test_an_error_names_the_extra_of_packages_that_are_not_installed(
    refuse, tmp_path, head, monkeypatch, module, extra
):
    monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    truth = head / "truth.nii.gz"
    command = ("evaluate", "--reference", truth, "--prediction", truth, "--plot", tmp_path / "m.png")
    if extra == "training":
        command = ("train", "dwi-unet", "--anatomy", tmp_path, "-o", tmp_path / "run")
    refuse(*command, reason=f'needs more packages: pip install ".[{extra}]" in your clone')


# Runs the command and sends it Ctrl-C when its work is half done.
_INTERRUPTED = """
import os, signal, sys
from StrokeSAMLib import cli
from StrokeSAMLib.core import monitor
step = monitor.Monitor.step
def interrupt(self, fraction, *rest):
    if fraction > 0.5:
        os.kill(os.getpid(), signal.SIGINT)
    step(self, fraction, *rest)
monitor.Monitor.step = interrupt
cli.main(sys.argv[1:])
"""


def test_an_interrupted_command_leaves_no_files(head, tmp_path):
    command = segment_ncct(head / "ncct.nii.gz", tmp_path / "lesion.nii.gz", "--report", tmp_path / "report.json")
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, *map(str, command)], capture_output=True, encoding="utf-8"
    )
    assert (ended.returncode, ended.stderr) == (130, "strokesam: interrupted\n")
    assert list(tmp_path.iterdir()) == []
