"""The section Weights without Qt: a stand-in for its widgets, the real weights folder, and a real local server."""

import pytest
from download_server import HASH
from helpers import names
from panels import FakeView, poll_until_idle

from StrokeSAMLib.ui.install.package_installer import PackageError
from StrokeSAMLib.ui.module.weights_panel import WeightsPanel
from StrokeSAMLib.weights.catalogue import catalogue, find_weights

TINY = "sam2.1-tiny"


@pytest.fixture
def panel(store):
    """A panel on an empty weights folder; tests read `view`, `installed` and `changes`."""
    view, installed, changes = FakeView(), [], []
    panel = WeightsPanel(view, install=installed.append)
    panel.view, panel.installed, panel.changes = view, installed, changes
    panel.onChange = lambda: changes.append(1)
    panel.refresh()
    yield panel
    panel.close()


def actions(panel):
    return panel.view.last("showActions")[0]


def message(panel):
    return panel.view.last("showMessage")[0]


def fetch(panel, id=TINY):
    panel.select(id)
    panel.accept(True)
    panel.fetch()
    poll_until_idle(panel)


def is_stored(panel, id=TINY):
    rows, _selected = panel.view.last("showRows")
    return {row.id: row.stored for row in rows}[id]


def test_every_checkpoint_is_listed_with_its_users(panel):
    rows, selected = panel.view.last("showRows")
    assert [row.id for row in rows] == list(catalogue()) and selected is None
    row = next(row for row in rows if row.id == "medsam2")
    assert (row.title, row.usedBy, row.size, row.licence) == (
        *("MedSAM2", "medsam2", "156 MB"),
        find_weights("medsam2").licence,
    )
    assert {row.id for row in rows if row.stored} == {"ncct-unet", "dwi-unet", "prompt-unet"}
    assert next(row.size for row in rows if row.id == "sam2.1-small") == "?"


def test_terms_are_shown_and_must_be_accepted_for_each_checkpoint(panel, entry):
    tiny = entry("whole")
    assert actions(panel).fetchObstacle == "Select a checkpoint"
    panel.select(TINY)
    assert panel.view.last("showTerms") == (tiny, tiny.url)
    assert actions(panel).fetchObstacle == "Accept the licence first" and actions(panel).accept
    panel.fetch()
    assert not panel.busy and panel.installed == []
    panel.accept(True)
    assert actions(panel).fetchObstacle == ""
    panel.select("medsam2")
    assert panel.view.last("showAccepted") == (False,)
    assert actions(panel).fetchObstacle == "Accept the licence first"


def test_a_checkpoint_is_fetched_with_progress(panel, entry, store):
    entry("slow")
    fetch(panel)
    assert panel.installed == [("pooch",)]
    assert store.verify(TINY) == HASH and is_stored(panel) and panel.changes
    assert message(panel) == f"SAM 2.1 tiny was saved in {store.folder}"
    fractions = [fraction for fraction, _text in panel.view.all("showProgress")]
    assert fractions[0] == 0 and fractions[-1] == 1 and len(set(fractions)) > 3
    assert actions(panel).verify and actions(panel).delete and not actions(panel).cancel


def test_during_a_download_only_cancel_is_possible_and_leaves_nothing(panel, entry, store):
    entry("slow")
    panel.select(TINY)
    panel.accept(True)
    panel.fetch()
    now = actions(panel)
    assert (
        now.cancel
        and now.fetchObstacle == "Wait until the current action ends"
        and not (now.accept or now.importFile or now.verify)
    )
    panel.cancel()
    poll_until_idle(panel)
    assert message(panel) == "Cancelled" and names(store) == [] and not is_stored(panel)


@pytest.mark.parametrize(
    ("path", "reason"), [("absent", "the server says 404"), ("cut", "cut off"), ("other", "not the published file")]
)
def test_a_failure_gives_a_message(panel, entry, store, path, reason):
    entry(path)
    fetch(panel)
    assert reason in message(panel) and names(store) == [] and not is_stored(panel)
    assert actions(panel).fetchObstacle == ""


def test_a_checkpoint_without_a_published_hash_needs_torch_to_be_read(panel, entry):
    entry("page", sha256=None, bytes=None)
    fetch(panel)
    assert panel.installed == [("pooch", "torch")] and "refused" in message(panel)


def test_declined_packages_give_a_message_and_nothing_is_fetched(panel, entry, store):
    def decline(packages):
        raise PackageError("Python package pooch: you declined the installation")

    entry("whole")
    panel._install = decline
    fetch(panel)
    assert message(panel).endswith("you declined the installation") and names(store) == []
    assert actions(panel).fetchObstacle == ""


def test_an_action_that_was_started_during_an_installation_continues_alone(panel, entry, store):
    def verify_another(packages):
        panel._install = lambda packages: None
        panel.select("ncct-unet")
        panel.verify()

    entry("whole")
    panel._install = verify_another
    panel.select(TINY)
    panel.accept(True)
    panel.fetch()
    assert message(panel) == "Wait until the current action ends"
    poll_until_idle(panel)
    assert message(panel).startswith("ncct-unet is intact") and names(store) == []


def test_a_checkpoint_that_cannot_be_fetched_can_be_imported(panel, swift, store):
    panel.select("swift-medsam")
    assert "cannot be fetched" in actions(panel).fetchObstacle and not actions(panel).accept
    panel.importFile(swift)
    poll_until_idle(panel)
    assert is_stored(panel, "swift-medsam") and "keys match the network" in message(panel)
    assert store.path("swift-medsam").read_bytes() == swift.read_bytes()


def test_a_shipped_checkpoint_is_neither_fetched_nor_imported(panel, store):
    panel.refresh()
    (rows, _) = panel.view.last("showRows")
    assert {row.id: row.stored for row in rows}["ncct-unet"]
    panel.select("ncct-unet")
    assert panel.view.last("showTerms")[1] == "comes with StrokeSAM"
    (now,) = panel.view.last("showActions")
    assert now.fetchObstacle == "It comes with StrokeSAM, so there is nothing to fetch" and not (
        now.accept or now.importFile
    )
    assert now.verify and not now.delete
    panel.remove()
    assert panel.view.last("showMessage") == ("ncct-unet ships with StrokeSAM: it is not deleted",)


def test_a_file_of_another_network_is_refused(panel, swift, store):
    panel.select("lite-medsam")
    panel.importFile(swift)
    poll_until_idle(panel)
    assert "weights of another network" in message(panel) and names(store) == []


def test_a_checkpoint_is_verified_and_deleted(panel, entry, store):
    entry("whole")
    fetch(panel)
    panel.verify()
    poll_until_idle(panel)
    assert message(panel) == f"{TINY} is intact, SHA-256 {HASH}"
    store.path(TINY).write_bytes(b"changed")
    panel.verify()
    poll_until_idle(panel)
    assert "changed or damaged" in message(panel) and message(panel).endswith("; get it again: fetch or import it")
    path = store.path(TINY)
    panel.remove()
    assert message(panel) == f"Deleted {path}" and not is_stored(panel) and not actions(panel).verify
    panel.remove()
    panel.verify()
    assert not panel.busy


def test_refresh_reads_another_weights_folder(panel, entry, store, tmp_path, monkeypatch):
    entry("whole")
    fetch(panel)
    monkeypatch.setenv("STROKESAM_WEIGHTS", str(tmp_path / "elsewhere"))
    panel.refresh()
    assert not is_stored(panel)
