"""The challenge's cases: npz in, labels out."""

import filler
import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from helpers import ROOT, dice

from StrokeSAMLib import cli
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.interactive.challenge import Case, read_case, segment_case
from StrokeSAMLib.interactive.engines import lite_medsam
from StrokeSAMLib.interactive.engines.registry import load_engine

GOLDENS = ROOT / "Testing" / "Data" / "goldens"


def phantom(shape):
    """The volume of the fixtures, UInt8."""
    noise = ndi.gaussian_filter(filler.normal("volume", shape), (1, 6, 6))
    return ((noise - noise.min()) / (noise.max() - noise.min()) * 255).astype(np.uint8)


def case_of_ball(directory):
    """A case with a bright ball in a volume; and the ball."""
    k, j, i = np.indices((9, 48, 60))
    ball = (k - 4) ** 2 * 9 + (j - 24) ** 2 + (i - 30) ** 2 < 144
    imgs = np.random.default_rng(0).normal(60, 5, ball.shape) + ball * 100
    path = directory / "ball.npz"
    np.savez(path, imgs=imgs.astype(np.uint8), boxes=[[16, 10, 1, 44, 38, 7]], spacing=[1.0, 1.0, 3.0])
    return path, ball


class TestPublishedScripts:
    """LiteMedSAM and SwiftMedSAM give the labels of the challenge's scripts, with the fixtures' weights."""

    @pytest.fixture(scope="class", params=["LiteMedSAM", "SwiftMedSAM"])
    @classmethod
    def procedure(cls, request, tmp_path_factory):
        id = {"LiteMedSAM": "lite-medsam", "SwiftMedSAM": "swift-medsam"}[request.param]
        weights = tmp_path_factory.mktemp("weights") / "weights.pt"
        torch.save(filler.fill(lite_medsam.RECIPES[id].build()).state_dict(), weights)
        return np.load(GOLDENS / f"{request.param}_procedure.npz"), id, weights

    def test_the_command_answers_a_volume_and_an_image_in_colour(self, procedure, tmp_path):
        fixture, id, weights = procedure
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        np.savez(tmp_path / "in" / "3D.npz", imgs=phantom((7, 120, 140)), boxes=fixture["3D/boxes"], spacing=[1, 1, 1])
        colour = np.moveaxis(phantom((3, 200, 300)), 0, 2)
        np.savez(tmp_path / "in" / "2D.npz", imgs=colour, boxes=fixture["2D/boxes"])
        words = (tmp_path / "in", tmp_path / "out", "--engine", id, "--weights", weights, "--device", "cpu")
        assert cli.run(["prompt-npz", *map(str, words)]) == 0
        for name in ("2D", "3D"):
            labels, expected = np.load(tmp_path / "out" / f"{name}.npz")["segs"], fixture[f"{name}/segs"]
            if name == "3D" and id == "swift-medsam":  # its script never reaches slice 0
                labels, expected = labels[1:], expected[1:]
            assert labels.dtype == np.uint8 and labels.shape == expected.shape
            assert (labels == expected).mean() >= 0.995


def test_an_engine_without_weights_answers_too(tmp_path):
    path, ball = case_of_ball(tmp_path)
    assert cli.run(["prompt-npz", str(path), str(tmp_path / "answer.npz"), "--engine", "random-walker"]) == 0
    assert dice(np.load(tmp_path / "answer.npz")["segs"], ball) > 0.8


def test_an_engine_that_knows_no_colours_sees_grey():
    imgs = np.full((60, 60, 3), 40, np.uint8)
    imgs[20:40, 20:40] = (200, 180, 190)
    case = Case(imgs, np.array([[17, 17, 43, 43]]), (1.0, 1.0, 1.0))
    labels = segment_case(case, load_engine("random-walker"), Monitor())
    assert labels.shape == (60, 60) and dice(labels, imgs[..., 0] > 100) > 0.9


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boxes": None}, "it has no 'boxes'; it has imgs, spacing"),
        ({"imgs": np.zeros((4, 5, 6))}, "'imgs' must be UInt8 with three axes; it is float64"),
        ({"imgs": np.zeros((4, 5), np.uint8)}, "'imgs' must be UInt8 with three axes"),
        ({"imgs": np.array([object()])}, "not an npz file, or damaged"),
        ({"boxes": np.zeros((1, 5))}, r"'boxes' must be numbers, \(n, 4\) or \(n, 6\)"),
        ({"boxes": [[1, 1, 3, 3]]}, "three channels is needed for flat boxes"),
        ({"boxes": [[1, 1, 1, 3, np.nan, 3]]}, "'boxes' must be numbers"),
        ({"boxes": [[5, 1, 1, 3, 3, 3]]}, "box 1 is empty or outside the image: 5, 1, 1, 3, 3, 3"),
        ({"boxes": [[1, 1, 1, 3, 3, 3], [90, 1, 1, 99, 3, 3]]}, "box 2 is empty or outside"),
        ({"spacing": [1, 0, 1]}, "'spacing' must be three positive numbers"),
    ],
)
def test_a_wrong_case_is_refused_in_one_line(tmp_path, changes, reason):
    values = {"imgs": np.zeros((8, 20, 20), np.uint8), "boxes": [[1, 1, 1, 3, 3, 3]], "spacing": [1, 1, 3], **changes}
    path = tmp_path / "case.npz"
    np.savez(path, **{name: value for name, value in values.items() if value is not None})
    with pytest.raises(InputError, match=reason) as raised:
        read_case(path)
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "case.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not an npz file, or damaged"):
        read_case(path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_case(tmp_path / "none.npz")


def test_a_case_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path, _ = case_of_ball(tmp_path)
    monkeypatch.setattr("StrokeSAMLib.interactive.challenge._MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"too large: 0\.0 GB when unpacked"):
        read_case(path)


def test_folders_are_checked_before_the_work(tmp_path, capfd):
    path, _ = case_of_ball(tmp_path)
    (tmp_path / "none").mkdir()
    for words, reason in (
        ((tmp_path, tmp_path / "nowhere"), "no such folder; the answers to a folder of cases need one"),
        ((tmp_path, tmp_path), "the answers would overwrite the cases"),
        ((tmp_path / "none", tmp_path), "no .npz files in that folder"),
        ((path, path), "the output is one of the inputs"),
    ):
        assert cli.run(["prompt-npz", *map(str, words), "--engine", "random-walker"]) == 2
        assert reason in capfd.readouterr().err
