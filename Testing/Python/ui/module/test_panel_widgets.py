"""The widgets of the module's panel, with a stand-in for Qt; the panels' logic is real."""

from pathlib import Path

import pytest
from download_server import HASH
from fake_qt import send
from fake_widgets import QTableWidgetItem, press_enter, texts, type_path
from panels import FakeLogic, new_state, poll_until_idle

pytest.importorskip("slicer")


@pytest.fixture
def lesion(qt, ui):
    from StrokeSAMLib.ui.module.LesionWidget import LesionWidget

    logic = FakeLogic()
    logic.go.set()
    widget = LesionWidget(ui, logic)
    widget.state = new_state()
    widget.panel.setState(widget.state)
    poll_until_idle(widget.panel)
    yield widget
    widget.cleanup()


@pytest.fixture
def weights(qt, ui, store):
    from StrokeSAMLib.ui.module.WeightsWidget import WeightsWidget

    widget = WeightsWidget(ui)
    yield widget
    widget.cleanup()


def click(button):
    assert button.enabled and button.visible
    send(button, "clicked(bool)", False)


class TestLesion:
    def test_filling_the_list_does_not_change_the_scenes_method(self, lesion, ui):
        lesion.panel.setState(new_state(method="diffusion"))
        assert ui.methodComboBox.itemData(ui.methodComboBox.currentIndex) == "diffusion"
        assert [ui.ncctSelector.visible, ui.dwiSelector.visible, ui.adcLabel.visible] == [False, True, True]

    def test_a_method_is_chosen_in_the_list(self, lesion, ui):
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData("diffusion"))
        assert lesion.state.method == "diffusion" and ui.dwiSelector.visible and not ui.ncctSelector.visible

    def test_from_apply_to_the_saved_picture(self, lesion, ui, qt, tmp_path):
        assert not ui.applyButton.enabled and not ui.resultTable.visible and not ui.pictureLabel.visible
        lesion.state.ncct = "node"
        lesion.panel.onState()
        click(ui.applyButton)
        timer = lesion._polling._timer
        assert ui.progressBar.visible and ui.cancelButton.enabled and timer.active
        poll_until_idle(lesion.panel)
        send(timer, "timeout()")
        assert not timer.active and not ui.progressBar.visible
        assert qt.cursors.shown == [qt.Qt.WaitCursor] and qt.cursors.current == []
        assert ui.resultTable.visible and texts(ui.resultTable)[0][0] == "Volume"
        assert ui.pictureLabel.visible and 300 < ui.pictureLabel.pixmap.width < 420 and ui.refineButton.enabled
        qt.answers.append(str(tmp_path / "lesion.png"))
        click(ui.savePictureButton)
        assert (tmp_path / "lesion.png").read_bytes()[1:4] == b"PNG"
        qt.answers.append("")
        click(ui.savePictureButton)
        assert len(list(tmp_path.glob("*.png"))) == 1
        lesion.state.ncct = "another"
        lesion.panel.onState()
        assert (
            not ui.resultTable.visible and not ui.pictureLabel.visible and not ui.pictureLabel.pixmap.record.arguments
        )

    def test_an_option_is_edited_and_reset_in_the_table(self, lesion, ui):
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData("diffusion"))
        poll_until_idle(lesion.panel)
        row = next(n for n, cells in enumerate(texts(ui.optionTable)) if cells[0] == "seed_adc")
        assert lesion.state.options == "{}" and not ui.resetButton.enabled
        cells = ui.optionTable.record.cells
        assert [cells[row, column].flags for column in range(3)] == [3, 7, 3]
        assert "default 620" in cells[row, 1].toolTip
        ui.optionTable.setItem(row, 1, QTableWidgetItem("600"))
        assert lesion.state.options == '{"diffusion": {"seed_adc": "600"}}'
        click(ui.resetButton)
        assert lesion.state.options == "{}" and texts(ui.optionTable)[row][1] == "620.0"

    def test_after_cleanup_no_timer_runs(self, lesion):
        lesion.cleanup()
        timer = lesion._polling._timer
        assert not timer.active and not timer.record.slots
        timer.connect("timeout()", lesion._polling._onTimer)  # the fixture cleans up once more


class TestWeights:
    def test_a_checkpoint_is_fetched_and_deleted(self, weights, ui, entry, store):
        tiny = entry("whole")
        assert not ui.fetchButton.enabled and not ui.weightsProgressBar.visible
        weights.open(tiny.id)
        assert ui.weightsCollapsibleButton.collapsed is False
        assert tiny.licence in ui.termsLabel.text and tiny.url in ui.termsLabel.text
        ui.acceptCheckBox.setChecked(True)
        click(ui.fetchButton)
        assert ui.weightsCancelButton.visible and not ui.fetchButton.enabled and weights._polling._timer.active
        poll_until_idle(weights.panel)
        assert store.verify(tiny.id) == HASH and texts(ui.weightsTable)[0][:2] == ["SAM 2.1 tiny", "yes"]
        assert not ui.weightsCancelButton.visible
        click(ui.deleteButton)
        assert texts(ui.weightsTable)[0][1] == "no" and ui.weightsMessageLabel.text.startswith("Deleted")

    def test_a_file_is_imported_unless_the_dialog_is_dismissed(self, weights, ui, qt, swift, store):
        weights.open("swift-medsam")
        qt.answers.append("")
        click(ui.importButton)
        assert not weights.panel.busy
        qt.answers.append(str(swift))
        click(ui.importButton)
        poll_until_idle(weights.panel)
        assert store.find("swift-medsam") and ui.verifyButton.enabled

    def test_texts_of_the_catalogue_are_not_taken_for_markup(self, weights, ui, entry):
        weights.open(entry("whole", licence="<a & b>").id)
        assert "&lt;a &amp; b&gt;" in ui.termsLabel.text

    def test_a_shipped_checkpoint_can_be_verified_and_not_deleted(self, weights, ui):
        weights.open("ncct-unet")
        assert ui.verifyButton.enabled and not ui.deleteButton.enabled


class TestFolders:
    @pytest.fixture
    def folders(self, qt, ui, monkeypatch):
        """The folder fields; returns the list of notifications of a new weights folder."""
        from StrokeSAMLib.ui.module.FoldersWidget import FoldersWidget
        from StrokeSAMLib.ui.module.settings import exportWeightsFolder

        monkeypatch.delenv("STROKESAM_WEIGHTS")
        exportWeightsFolder()
        calls = []
        FoldersWidget(ui, lambda: calls.append(1))
        return calls

    def test_weights_are_stored_in_slicers_cache_by_default(self, folders, ui, qt, tmp_path):
        from StrokeSAMLib.weights.store import Store

        assert Store().folder == tmp_path / "cache" / "StrokeSAM" / "weights" == Path(ui.weightsFolderEdit.currentPath)
        ui.weightsFolderEdit.setCurrentPath(str(tmp_path / "mine"))
        assert Store().folder == tmp_path / "mine" and folders
        assert qt.settings["StrokeSAM/WeightsFolder"] == str(tmp_path / "mine")
        ui.weightsFolderEdit.setCurrentPath("")
        assert Store().folder == tmp_path / "cache" / "StrokeSAM" / "weights"

    def test_a_path_is_used_when_the_user_has_finished_typing_it(self, folders, ui, qt, tmp_path):
        path = str(tmp_path / "mine")
        type_path(ui.weightsFolderEdit, path)
        type_path(ui.wheelFolderEdit, path)
        assert not folders and not qt.settings
        for edit in (ui.weightsFolderEdit, ui.wheelFolderEdit):
            press_enter(edit)
            press_enter(edit)  # the loss of focus afterwards
        assert set(qt.settings.values()) == {path} and len(folders) == 1

    def test_a_browsed_folder_is_used_at_once(self, folders, ui, qt, tmp_path):
        type_path(ui.weightsFolderEdit, str(tmp_path / "half"))
        ui.weightsFolderEdit.setCurrentPath(str(tmp_path / "browsed"))
        assert qt.settings == {"StrokeSAM/WeightsFolder": str(tmp_path / "browsed")} and len(folders) == 1

    def test_the_environment_variable_has_priority(self, qt, monkeypatch, tmp_path):
        from StrokeSAMLib.ui.module.settings import exportWeightsFolder, weightsFolder

        monkeypatch.setenv("STROKESAM_WEIGHTS", str(tmp_path / "theirs"))
        exportWeightsFolder()
        assert weightsFolder() == str(tmp_path / "theirs")

    def test_the_wheel_folder_is_the_one_that_the_installer_uses(self, folders, ui, qt):
        from StrokeSAMLib.ui.install.package_installer import WHEEL_FOLDER_SETTING

        assert ui.wheelFolderEdit.currentPath == ""
        ui.wheelFolderEdit.setCurrentPath("D:/wheels")
        assert qt.settings[WHEEL_FOLDER_SETTING] == "D:/wheels"
