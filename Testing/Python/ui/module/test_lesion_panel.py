"""The section Segment lesion without Qt: stand-ins for widgets and MRML; worker, report and picture are real."""

import json
import time

import numpy as np
import pytest
from lesion_results import block, empty, lesion_result
from panels import FakeLogic, FakeView, new_state, poll_until_idle
from PIL import Image

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.lesion import find_method
from StrokeSAMLib.lesion.registry import METHODS, Method
from StrokeSAMLib.ui.install.package_installer import PackageError
from StrokeSAMLib.ui.module.lesion_panel import LesionPanel


@pytest.fixture
def panel():
    """A panel with the choices of a scene; tests read `logic`, `view`, `refined` and `installed`."""
    view, logic, refined, installed = FakeView(), FakeLogic(), [], []
    panel = LesionPanel(view, logic, lambda *arguments: refined.append(arguments), install=installed.append)
    panel.view, panel.logic, panel.refined, panel.installed = view, logic, refined, installed
    panel.state = new_state()
    panel.setState(panel.state)
    poll_until_idle(panel)
    yield panel
    panel.close()


def choose(panel, **changes):
    """Change choices of the scene."""
    for name, value in changes.items():
        setattr(panel.state, name, value)
    panel.onState()
    poll_until_idle(panel)


def segment(panel):
    """Run a segmentation to its end."""
    panel.start()
    panel.logic.go.set()
    poll_until_idle(panel)


class TestChoosing:
    def test_the_method_of_the_scene_is_shown_with_its_inputs(self, panel):
        panel.setState(new_state(method="diffusion"))
        assert panel.view.last("showMethod") == (find_method("diffusion"),)
        assert panel.view.last("setApplyEnabled") == (False, "Select DWI (trace, b≈1000)")

    def test_apply_is_enabled_once_the_needed_inputs_are_selected(self, panel):
        panel.setMethod("diffusion")
        assert panel.state.method == "diffusion"
        choose(panel, b0="node")
        assert panel.view.last("setApplyEnabled") == (False, "Select DWI (trace, b≈1000)")
        choose(panel, dwi="node")
        assert panel.view.last("setApplyEnabled")[0] is True

    @pytest.mark.parametrize("id", ["", "unknown"])
    def test_without_a_known_method_the_best_one_for_ct_is_chosen(self, panel, id, monkeypatch):
        panel.setState(new_state(method=id))
        assert panel.view.last("showMethod") == (find_method("ncct-unet"),)
        monkeypatch.setattr(Method, "readiness", lambda self: "no: needs torch")
        panel.onState()
        assert panel.view.last("showMethod") == (find_method("asymmetry"),)

    def test_the_list_shows_why_a_method_is_not_ready(self, panel, monkeypatch):
        monkeypatch.setattr(Method, "readiness", lambda self: "no: needs weights")
        panel.listMethods()
        ((items,),) = panel.view.all("showMethods")[-1:]
        title = find_method("asymmetry").title
        assert ("asymmetry", f"{title} – not ready: needs weights") in items
        choose(panel, ncct="node")
        assert panel.view.last("setApplyEnabled") == (False, f"{title}: not ready: needs weights")

    def test_a_method_without_weights_refers_to_the_section_weights(self, panel, monkeypatch):
        """Slicer has no command `strokesam`."""
        monkeypatch.setattr(Method, "packages", ())
        panel.listMethods()
        ((items,),) = panel.view.all("showMethods")[-1:]
        assert dict(items)["aisct-sam"].endswith("– not ready: needs weights: see section Weights")

    def test_the_volume_that_is_shown_is_suggested_for_the_only_input(self, panel):
        panel.suggest("shown")
        panel.suggest("another")
        assert panel.state.ncct == "shown"
        panel.setMethod("diffusion")
        panel.suggest("shown")
        assert panel.state.dwi is None

    def test_a_volume_is_suggested_for_its_input_unless_another_is_chosen(self, panel):
        panel.suggest("trace", "dwi")
        panel.suggest("another", "dwi")
        panel.suggest("map", "adc")
        assert (panel.state.dwi, panel.state.adc, panel.state.ncct) == ("trace", "map", None)
        panel.setState(None)
        panel.suggest("late", "ncct")


class TestOptions:
    def test_options_have_default_unit_and_help(self, panel):
        (rows,) = panel.view.last("showOptions")
        assert {row.name for row in rows} == {row[0] for row in _described("asymmetry")}
        row = next(row for row in rows if row.unit == "HU")
        assert row.value == row.default and f"default {row.default}" in row.toolTip

    def test_a_value_is_saved_with_the_scene_and_passed_to_the_method(self, panel):
        panel.setMethod("diffusion")
        poll_until_idle(panel)
        panel.setOption("seed_adc", " 600 ")
        assert json.loads(panel.state.options) == {"diffusion": {"seed_adc": "600"}}
        choose(panel, dwi="node", adc="node")
        segment(panel)
        assert panel.logic.prepared == ({"dwi": "node", "adc": "node"}, "diffusion", {"seed_adc": "600"})

    def test_the_values_of_a_loaded_scene_are_shown(self, panel):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}}')
        (rows,) = panel.view.last("showOptions")
        assert {row.name: row.value for row in rows}["seed_adc"] == "555"

    def test_a_value_out_of_range_gives_a_message(self, panel):
        panel.setMethod("diffusion")
        poll_until_idle(panel)
        panel.setOption("seed_adc", "-5")
        assert panel.view.last("showMessage") == ("option 'seed_adc' is -5; it must be 100 to 1500",)
        assert panel.state.options == "{}"
        (rows,) = panel.view.last("showOptions")
        assert {row.name: row.value for row in rows}["seed_adc"] == "620.0"

    @pytest.mark.parametrize("text", ["", "620.0"])
    def test_an_empty_text_or_the_default_restores_the_default(self, panel, text):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}, "other": {"a": "1"}}')
        panel.setOption("seed_adc", text)
        assert json.loads(panel.state.options) == {"other": {"a": "1"}}

    def test_options_are_reset(self, panel):
        choose(panel, method="diffusion", options='{"diffusion": {"seed_adc": "555"}}')
        panel.resetOptions()
        assert panel.state.options == "{}"

    @pytest.mark.parametrize("text", ["", "nonsense", "[1]", '{"diffusion": 3}'])
    def test_an_invalid_document_gives_the_defaults(self, panel, text):
        choose(panel, method="diffusion", options=text)
        (rows,) = panel.view.last("showOptions")
        assert rows and all(row.value == row.default for row in rows)


def _described(id):
    from StrokeSAMLib.core.options import describe_options

    return describe_options(find_method(id).options_class())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id)
def test_only_methods_with_a_network_have_a_device(method):
    pytest.importorskip("torch")
    names = {name for name, *_ in _described(method.id)}
    assert ("device" in names) == ("weights" in names) == method.weights


class TestSegmenting:
    @pytest.fixture(autouse=True)
    def _with_a_volume(self, panel):
        choose(panel, ncct="node")

    def test_the_work_runs_on_the_worker_and_the_result_is_applied_on_the_main_thread(self, panel):
        panel.start()
        assert panel.view.last("setApplyEnabled") == (False, "A segmentation is running")
        assert panel.logic.applied == []
        panel.logic.go.set()
        poll_until_idle(panel)
        assert panel.logic.applied == [None] and panel.state.segmentation == "new"
        assert panel.installed == [find_method("asymmetry").packages]
        assert panel.view.last("setRunning") == (False,)
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_volume_side_picture_and_notes_are_shown(self, panel):
        segment(panel)
        rows, picture = panel.view.last("showResult")
        assert dict(rows)["Volume"].endswith(" ml") and dict(rows)["Side"] in ("left", "right", "bilateral")
        with Image.open(picture) as image:
            assert image.format == "PNG" and image.width > 1000
        assert panel.view.last("showMessage")[0].startswith("CT: resampled")

    def test_the_picture_is_saved_to_the_chosen_file(self, panel, tmp_path):
        panel.savePicture(tmp_path / "none.png")
        assert not list(tmp_path.iterdir())
        segment(panel)
        panel.savePicture(tmp_path / "lesion.png")
        assert (tmp_path / "lesion.png").read_bytes() == panel.view.last("showResult")[1].read_bytes()
        panel.savePicture(tmp_path / "no such folder" / "lesion.png")
        assert "cannot write there" in panel.view.last("showMessage")[0]

    def test_the_probability_map_is_added_only_if_chosen(self, panel):
        segment(panel)
        assert panel.logic.maps == []
        choose(panel, probability=True)
        segment(panel)
        assert len(panel.logic.maps) == 1

    def test_cancel_applies_nothing(self, panel):
        panel.start()
        panel.cancel()
        poll_until_idle(panel)
        assert panel.logic.applied == []
        assert panel.view.last("setRunning") == (False,)
        assert panel.view.last("showMessage") == ("Cancelled",)

    def test_closing_the_scene_cancels_the_work(self, panel):
        panel.start()
        panel.setState(None)
        panel.logic.go.set()
        poll_until_idle(panel)
        assert panel.logic.applied == []
        assert panel.view.last("setApplyEnabled") == (False, "The scene is being closed")
        panel.setState(new_state(ncct="new"))
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_closing_the_scene_between_the_end_of_the_work_and_its_result_applies_nothing(self, panel):
        panel.logic.go.set()
        panel.start()
        time.sleep(0.5)
        panel.setState(None)
        poll_until_idle(panel)
        assert panel.logic.applied == [] and panel.view.last("showResult") == ([], None)

    def test_a_refused_volume_gives_a_message(self, panel):
        panel.logic.refuse = InputError("CT: the volume has no voxels")
        panel.start()
        assert panel.view.last("showMessage") == ("CT: the volume has no voxels",)
        assert not panel.busy

    def test_a_declined_installation_gives_a_message(self, panel):
        def decline(packages):
            raise PackageError("you declined")

        panel._install = decline
        panel.start()
        assert panel.view.last("showMessage") == ("you declined",)
        assert not panel.busy

    @pytest.mark.parametrize(("id", "options"), [("asymmetry", {}), ("ncct-unet", {"device": "cpu"})])
    def test_a_network_gets_the_device_before_its_options_are_known(self, panel, id, options, monkeypatch):
        monkeypatch.setattr(Method, "missing_packages", lambda method: ["torch"])
        panel.logic.refuse = InputError("no further")
        choose(panel, method=id, ncct="node", device="cpu")
        panel.start()
        assert panel.logic.prepared == ({"ncct": "node"}, id, options)

    @pytest.mark.parametrize("change", [{"ncct": "another"}, {"segmentation": None}, {"method": "diffusion"}])
    def test_after_another_choice_during_an_installation_nothing_runs(self, panel, change):
        choose(panel, segmentation="lesion")
        panel._install = lambda packages: choose(panel, **change)
        panel.start()
        poll_until_idle(panel)
        (message,) = panel.view.last("showMessage")
        assert message.splitlines() == [message] and ("press Apply again" in message or "Select" in message)
        assert panel.logic.applied == [] and ("setRunning", True) not in panel.view.calls

    @pytest.mark.parametrize("state", [None, new_state(ncct="new")])
    def test_after_a_change_of_the_scene_during_an_installation_nothing_runs(self, panel, state):
        panel._install = lambda packages: panel.setState(state)
        panel.start()
        poll_until_idle(panel)
        assert panel.view.last("showMessage")[0] and panel.logic.applied == []
        assert ("setRunning", True) not in panel.view.calls

    def test_the_slice_views_jump_to_the_lesion(self, panel):
        segment(panel)
        # The voxel (2, 2, 2) of the grid in `lesion_results`.
        assert panel.logic.jumps == [pytest.approx((4.0, -4.0, 8.0))]

    def test_without_a_lesion_no_segment_is_written_and_a_message_says_so(self, panel):
        panel.logic.lesion = empty()
        segment(panel)
        assert panel.logic.applied == [] and panel.logic.jumps == [] and panel.state.segmentation is None
        rows, picture = panel.view.last("showResult")
        assert dict(rows)["Components"] == "0" and picture.exists()
        (message,) = panel.view.last("showMessage")
        assert message.splitlines()[0] == "No lesion was found, so no segment was written."
        assert "no lesion found" not in message

    def test_the_wait_cursor_is_shown_only_while_the_result_is_written(self, panel):
        panel.start()
        assert panel.view.all("waiting") == []
        panel.logic.go.set()
        poll_until_idle(panel)
        assert panel.view.all("waiting") == [(True,), (False,)]


class TestResultOfFormerChoices:
    """The result in the panel always belongs to the inputs in the panel."""

    @pytest.fixture(autouse=True)
    def _with_a_result(self, panel):
        choose(panel, ncct="first")
        segment(panel)
        assert is_result_shown(panel)

    @pytest.mark.parametrize("change", [{"ncct": "second"}, {"ncct": None}, {"method": "diffusion"}])
    def test_it_disappears_with_another_choice(self, panel, change, tmp_path):
        choose(panel, **change)
        assert not is_result_shown(panel) and panel.view.last("showMessage") == ("",)
        panel.savePicture(tmp_path / "former.png")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("change", [{"device": "cpu"}, {"probability": True}, {"segmentation": None}])
    def test_it_stays_with_other_changes(self, panel, change):
        choose(panel, **change)
        panel.setState(panel.state)
        assert is_result_shown(panel)

    def test_it_disappears_at_the_start_of_the_next_run(self, panel):
        panel.logic.go.clear()
        panel.start()
        assert not is_result_shown(panel)
        panel.cancel()
        poll_until_idle(panel)
        assert not is_result_shown(panel)

    def test_it_disappears_if_the_next_run_fails(self, panel):
        panel.logic.error = InputError("CT: not a head")
        segment(panel)
        assert not is_result_shown(panel) and panel.view.last("showMessage") == ("CT: not a head",)
        panel.logic.error, panel.logic.refuse = None, InputError("CT: no voxels")
        panel.start()
        assert not is_result_shown(panel) and panel.view.last("showMessage") == ("CT: no voxels",)

    def test_a_result_for_other_inputs_than_those_in_the_panel_is_not_shown(self, panel):
        panel.logic.go.clear()
        panel.start()
        choose_while_busy(panel, ncct="second")
        panel.logic.go.set()
        poll_until_idle(panel)
        assert not is_result_shown(panel) and len(panel.logic.applied) == 2
        assert panel.view.last("showMessage")[0].startswith("CT: the segmentation is finished.")


def is_result_shown(panel):
    return panel.view.last("showResult") != ([], None)


def choose_while_busy(panel, **changes):
    for name, value in changes.items():
        setattr(panel.state, name, value)
    panel.onState()


class TestFocus:
    def test_the_focus_lies_in_the_lesion_in_its_largest_axial_slice(self):
        mask = block(slice(1, 2), slice(2, 4), slice(2, 4))
        mask[3, 1:9, 1] = mask[3, 1:9, 9] = 1  # two parts, whose common centre lies outside both
        focus = focus_of(mask)
        assert focus[2] == 3 * 4.0 and focus[0] in (5.0 - 0.5, 5.0 - 4.5)

    def test_an_axial_slice_of_a_sagittal_scan_is_found(self):
        mask = block(slice(1, 4), 5, slice(3, 9))
        mask[1, 2, 3] = 1
        sagittal = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # j runs along S
        assert focus_of(mask, sagittal)[2] == 5 * 2.0

    def test_an_empty_mask_has_no_focus(self):
        assert focus_of(empty()) is None


def focus_of(mask, direction=None):
    from StrokeSAMLib.ui.module.lesion_work import lesionFocus

    return lesionFocus(lesion_result(mask, direction).mask)


class TestRefining:
    def test_the_editor_opens_on_the_chosen_segmentation(self, panel):
        assert panel.view.last("setRefineEnabled") == (False, "Segment the lesion first, or select a segmentation")
        panel.refine()
        assert panel.refined == []
        choose(panel, segmentation="lesion", device="cpu")
        assert panel.view.last("setRefineEnabled")[0] is True
        panel.refine()
        assert panel.refined == [("lesion", "cpu")]

    def test_the_editor_opens_on_a_new_result(self, panel):
        choose(panel, ncct="node")
        segment(panel)
        panel.refine()
        assert panel.refined == [("new", "auto")]

    def test_an_error_of_the_editor_gives_a_message(self, panel):
        def refuse(*arguments):
            raise InputError("its volume is no longer in the scene")

        panel._openEditor = refuse
        choose(panel, segmentation="lesion")
        panel.refine()
        assert panel.view.last("showMessage") == ("its volume is no longer in the scene",)
