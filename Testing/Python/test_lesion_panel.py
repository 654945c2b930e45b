"""The section Segment lesion without Qt: fakes of widgets and of MRML; the worker, report and picture are real."""

import json
import time

import pytest
from panels import FakeLogic, FakeView, new_state, poll_until_idle
from PIL import Image

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.lesion import find_method
from StrokeSAMLib.lesion.registry import METHODS, Method
from StrokeSAMLib.ui.lesion_panel import LesionPanel
from StrokeSAMLib.ui.packages import PackageError


@pytest.fixture
def panel():
    """A panel with a scene's state; `logic`, `view`, `refined` and `installed` are the test's."""
    view, logic, refined, installed = FakeView(), FakeLogic(), [], []
    made = LesionPanel(view, logic, lambda *given: refined.append(given), install=installed.append)
    made.view, made.logic, made.refined, made.installed = view, logic, refined, installed
    made.state = new_state()
    made.setState(made.state)
    poll_until_idle(made)
    yield made
    made.close()


def choose(panel, **changes):
    for name, value in changes.items():
        setattr(panel.state, name, value)
    panel.onState()
    poll_until_idle(panel)


def segmented(panel):
    panel.start()
    panel.logic.go.set()
    poll_until_idle(panel)


class TestChoosing:
    def test_the_method_of_the_scene_is_shown_with_its_inputs(self, panel):
        panel.setState(new_state(method="diffusion"))
        assert panel.view.last("showMethod") == (find_method("diffusion"),)
        assert panel.view.last("setApplyEnabled") == (False, "Select DWI (trace, b≈1000)")

    def test_apply_works_once_what_is_needed_is_there(self, panel):
        panel.setMethod("diffusion")
        assert panel.state.method == "diffusion"
        choose(panel, dwi="node")
        assert panel.view.last("setApplyEnabled") == (False, "Select ADC or b=0 image")
        choose(panel, b0="node")
        assert panel.view.last("setApplyEnabled")[0] is True

    @pytest.mark.parametrize("id", ["", "of-tomorrow"])
    def test_where_no_known_method_is_chosen_the_best_for_ct_is(self, panel, id, monkeypatch):
        panel.setState(new_state(method=id))
        assert panel.view.last("showMethod") == (find_method("ncct-unet"),)
        monkeypatch.setattr(Method, "readiness", lambda self: "no: needs torch")
        panel.onState()
        assert panel.view.last("showMethod") == (find_method("asymmetry"),)

    def test_a_method_that_is_not_ready_says_so_in_the_list(self, panel, monkeypatch):
        monkeypatch.setattr(Method, "readiness", lambda self: "no: needs weights")
        panel.listMethods()
        ((items,),) = panel.view.all("showMethods")[-1:]
        title = find_method("asymmetry").title
        assert ("asymmetry", f"{title} – not ready: needs weights") in items
        choose(panel, ncct="node")
        assert panel.view.last("setApplyEnabled") == (False, f"{title}: not ready: needs weights")

    def test_for_want_of_weights_it_leads_to_where_they_are_had(self, panel, monkeypatch):
        """Slicer has no command `strokesam`."""
        monkeypatch.setattr(Method, "packages", ())
        panel.listMethods()
        ((items,),) = panel.view.all("showMethods")[-1:]
        assert dict(items)["aisct-sam"].endswith("– not ready: needs weights: see section Weights")

    def test_the_shown_volume_is_suggested_for_the_only_input(self, panel):
        panel.suggest("shown")
        panel.suggest("another")
        assert panel.state.ncct == "shown"
        panel.setMethod("diffusion")
        panel.suggest("shown")
        assert panel.state.dwi is None


class TestOptions:
    def test_are_described_with_default_unit_and_help(self, panel):
        (rows,) = panel.view.last("showOptions")
        named = {row.name: row for row in rows}
        assert set(named) == {row[0] for row in _described("asymmetry")}
        row = next(row for row in rows if row.unit == "HU")
        assert row.value == row.default and f"default {row.default}" in row.help

    def test_a_value_is_kept_with_the_scene_and_given_to_the_method(self, panel):
        panel.setMethod("diffusion")
        poll_until_idle(panel)
        panel.setOption("seed_adc", " 600 ")
        assert json.loads(panel.state.options) == {"diffusion": {"seed_adc": "600"}}
        choose(panel, dwi="node", adc="node")
        segmented(panel)
        assert panel.logic.given == ({"dwi": "node", "adc": "node"}, "diffusion", {"seed_adc": "600"})

    def test_the_values_of_a_loaded_scene_are_shown(self, panel):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}}')
        (rows,) = panel.view.last("showOptions")
        assert {row.name: row.value for row in rows}["seed_adc"] == "555"

    def test_a_value_out_of_range_is_refused_in_the_panel(self, panel):
        panel.setMethod("diffusion")
        poll_until_idle(panel)
        panel.setOption("seed_adc", "-5")
        assert panel.view.last("showMessage") == ("option 'seed_adc' is -5; it must be 100 to 1500",)
        assert panel.state.options == "{}"
        (rows,) = panel.view.last("showOptions")
        assert {row.name: row.value for row in rows}["seed_adc"] == "620.0"

    @pytest.mark.parametrize("text", ["", "620.0"])
    def test_empty_or_the_default_is_the_default(self, panel, text):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}, "other": {"a": "1"}}')
        panel.setOption("seed_adc", text)
        assert json.loads(panel.state.options) == {"other": {"a": "1"}}

    def test_reset(self, panel):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}}')
        panel.resetOptions()
        assert panel.state.options == "{}"

    @pytest.mark.parametrize("text", ["", "nonsense", "[1]", '{"diffusion": 3}'])
    def test_what_is_no_document_is_taken_for_the_defaults(self, panel, text):
        choose(panel, method="diffusion", options=text)
        (rows,) = panel.view.last("showOptions")
        assert rows and all(row.value == row.default for row in rows)


def _described(id):
    from StrokeSAMLib.options import describe_options

    return describe_options(find_method(id).options_class())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id)
def test_networks_and_they_alone_have_a_device(method):
    pytest.importorskip("torch")
    names = {name for name, *_ in _described(method.id)}
    assert ("device" in names) == ("weights" in names) == method.weights


class TestSegmenting:
    @pytest.fixture(autouse=True)
    def _with_a_volume(self, panel):
        choose(panel, ncct="node")

    def test_runs_off_the_thread_and_applies_on_it(self, panel):
        panel.start()
        assert panel.view.last("setApplyEnabled") == (False, "Segmentation is under way")
        assert panel.logic.applied == []
        panel.logic.go.set()
        poll_until_idle(panel)
        assert panel.logic.applied == [None] and panel.state.segmentation == "made"
        assert panel.installed == [find_method("asymmetry").packages]
        assert panel.view.last("setRunning") == (False,)
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_volume_side_picture_and_notes_are_shown(self, panel):
        segmented(panel)
        rows, picture = panel.view.last("showResult")
        assert dict(rows)["Volume"].endswith(" ml") and dict(rows)["Side"] in ("left", "right", "bilateral")
        with Image.open(picture) as image:
            assert image.format == "PNG" and image.width > 1000
        assert panel.view.last("showMessage")[0].startswith("CT: resampled")

    def test_the_picture_is_saved_where_the_user_says(self, panel, tmp_path):
        panel.savePicture(tmp_path / "none.png")
        assert not list(tmp_path.iterdir())
        segmented(panel)
        panel.savePicture(tmp_path / "lesion.png")
        assert (tmp_path / "lesion.png").read_bytes() == panel.view.last("showResult")[1].read_bytes()
        panel.savePicture(tmp_path / "no such folder" / "lesion.png")
        assert "cannot write there" in panel.view.last("showMessage")[0]

    def test_the_probability_map_only_where_it_is_wanted(self, panel):
        segmented(panel)
        assert panel.logic.maps == []
        choose(panel, probability=True)
        segmented(panel)
        assert len(panel.logic.maps) == 1

    def test_cancel_applies_nothing(self, panel):
        panel.start()
        panel.cancel()
        poll_until_idle(panel)
        assert panel.logic.applied == []
        assert panel.view.last("setRunning") == (False,)
        assert panel.view.last("showMessage") == ("Cancelled",)

    def test_the_scene_closed_meanwhile(self, panel):
        panel.start()
        panel.setState(None)
        panel.logic.go.set()
        poll_until_idle(panel)
        assert panel.logic.applied == []
        assert panel.view.last("setApplyEnabled") == (False, "The scene is being closed")
        panel.setState(new_state(ncct="new"))
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_the_scene_closed_between_the_end_of_the_work_and_its_report(self, panel):
        panel.logic.go.set()
        panel.start()
        time.sleep(0.5)
        panel.setState(None)
        poll_until_idle(panel)
        assert panel.logic.applied == [] and panel.view.last("showResult") == ([], None)

    def test_a_refused_volume_is_told_in_the_panel(self, panel):
        panel.logic.refuse = InputError("CT: the volume has no voxels")
        panel.start()
        assert panel.view.last("showMessage") == ("CT: the volume has no voxels",)
        assert not panel.busy

    def test_a_declined_installation_is_told_in_the_panel(self, panel):
        def decline(packages):
            raise PackageError("you declined")

        panel._install = decline
        panel.start()
        assert panel.view.last("showMessage") == ("you declined",)
        assert not panel.busy

    @pytest.mark.parametrize(("id", "options"), [("asymmetry", {}), ("ncct-unet", {"device": "cpu"})])
    def test_a_network_is_told_the_device_before_its_options_are_known(self, panel, id, options, monkeypatch):
        monkeypatch.setattr(Method, "missing_packages", lambda method: ["torch"])
        panel.logic.refuse = InputError("no further")
        choose(panel, method=id, ncct="node", device="cpu")
        panel.start()
        assert panel.logic.given == ({"ncct": "node"}, id, options)

    @pytest.mark.parametrize("change", [{"ncct": "another"}, {"segmentation": None}, {"method": "diffusion"}])
    def test_another_choice_while_packages_were_installed_is_not_taken_for_the_one_before(self, panel, change):
        choose(panel, segmentation="lesion")
        panel._install = lambda packages: choose(panel, **change)
        panel.start()
        poll_until_idle(panel)
        (said,) = panel.view.last("showMessage")
        assert said.splitlines() == [said] and ("press Apply again" in said or "Select" in said)
        assert panel.logic.applied == [] and ("setRunning", True) not in panel.view.calls

    @pytest.mark.parametrize("state", [None, new_state(ncct="new")])
    def test_another_scene_while_packages_were_installed(self, panel, state):
        panel._install = lambda packages: panel.setState(state)
        panel.start()
        poll_until_idle(panel)
        assert panel.view.last("showMessage")[0] and panel.logic.applied == []
        assert ("setRunning", True) not in panel.view.calls


class TestRefining:
    def test_waits_for_a_segmentation_then_opens_the_editor_on_it(self, panel):
        assert panel.view.last("setRefineEnabled") == (False, "Segment the lesion first, or select a segmentation")
        panel.refine()
        assert panel.refined == []
        choose(panel, segmentation="lesion", device="cpu")
        assert panel.view.last("setRefineEnabled")[0] is True
        panel.refine()
        assert panel.refined == [("lesion", "cpu")]

    def test_after_a_result(self, panel):
        choose(panel, ncct="node")
        segmented(panel)
        panel.refine()
        assert panel.refined == [("made", "auto")]

    def test_what_the_editor_refuses_is_told_in_the_panel(self, panel):
        def refuse(*given):
            raise InputError("its volume is no longer in the scene")

        panel._refineIn = refuse
        choose(panel, segmentation="lesion")
        panel.refine()
        assert panel.view.last("showMessage") == ("its volume is no longer in the scene",)
