"""The LiteMedSAM and SwiftMedSAM engines. test_challenge.py has the published procedures."""

import json

import filler
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers import ROOT

from StrokeSAMLib import cli
from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.interactive import Point, Session
from StrokeSAMLib.interactive.engines import lite_medsam
from StrokeSAMLib.interactive.engines.lite_medsam import LiteMedSamEngine, next_box
from StrokeSAMLib.interactive.engines.sam import Frame
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis
from StrokeSAMLib.nets.models import sam_models

GOLDENS = ROOT / "Testing" / "Data" / "goldens"


@pytest.mark.parametrize("network", ["LiteMedSAM", "SwiftMedSAM"])
def test_resized_slices_have_the_sizes_of_the_published_scripts(network):
    fixture = np.load(GOLDENS / f"{network}_procedure.npz")
    for shape in ((200, 300), (512, 512), (120, 90), (257, 640)):
        content = Frame.fitted(shape, 256).content
        assert content == tuple(fixture[f"pre/{shape[0]}x{shape[1]}/resized_shape"][:2])


class TestSessions:
    @pytest.fixture
    def volume(self):
        array = np.full((5, 60, 70), 60, np.uint8)
        array[1:4, 20:40, 25:50] = 180
        return sitk.GetImageFromArray(array)

    def test_the_command_and_its_replay_give_the_same_mask(self, volume, tmp_path):
        torch.save({"model": filler.fill(sam_models.lite_medsam()).state_dict()}, tmp_path / "weights.pt")
        sitk.WriteImage(volume, str(tmp_path / "scan.nrrd"))
        box = {"type": "box", "corners": [[24, 19, 2], [50, 40, 2]]}
        (tmp_path / "prompts.json").write_text(json.dumps({"space": "LPS", "prompts": [box]}))
        engine = ["--engine", "lite-medsam", "--weights", str(tmp_path / "weights.pt"), "--device", "cpu"]
        files = [str(tmp_path / "scan.nrrd"), "--prompts", str(tmp_path / "prompts.json")]
        assert cli.run(["prompt", *files, *engine, "-o", str(tmp_path / "mask.nrrd")]) == 0
        again = [str(tmp_path / "mask.json"), files[0], *engine[2:], "-o", str(tmp_path / "again.nrrd")]
        assert cli.run(["replay", *again]) == 0
        mask, repeated = (sitk.ReadImage(str(tmp_path / name)) for name in ("mask.nrrd", "again.nrrd"))
        assert (sitk.GetArrayFromImage(mask) == sitk.GetArrayFromImage(repeated)).all()
        assert len(json.loads((tmp_path / "mask.json").read_text("utf-8"))["engine"]["weights"]) == 64

    def test_an_engine_trained_with_boxes_takes_no_points(self, volume):
        model = sam_models.lite_medsam()
        engine = LiteMedSamEngine("lite-medsam", model, lite_medsam.RECIPES["lite-medsam"])
        session = Session.on(Encodings(engine, stack_along_axis(volume, 2)))
        with pytest.raises(OptionError, match="engine lite-medsam takes no point, only box, mask"):
            session.add(Point((30.0, 30.0, 2.0)))

    def test_weights_of_another_network_are_refused(self, volume, tmp_path):
        torch.save(sam_models.swift_medsam().state_dict(), tmp_path / "weights.pt")
        with pytest.raises(InputError, match=r"weights\.pt: weights of another network: of 435 keys \d+ missing"):
            Session(volume, "lite-medsam", weights=tmp_path / "weights.pt", device="cpu")


class TestBoxes:
    def test_the_next_box_has_whole_pixels_on_the_input(self):
        mask = np.zeros((120, 140), bool)
        mask[30:70, 40:90] = True
        box = np.array(next_box(mask, 256)) * 256 / 140
        assert np.abs(box - np.rint(box)).max() < 1e-9

    def test_the_next_box_of_a_thin_line_contains_it(self):
        mask = np.zeros((900, 900), bool)
        mask[100, 200:210] = True
        x0, y0, x1, y1 = next_box(mask, 256)
        assert x0 < 200 < 209 < x1 and y0 < 100 < y1
