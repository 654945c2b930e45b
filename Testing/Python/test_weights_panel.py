"""The section Weights without Qt: a fake of its widgets, the real store, and a real server on this machine."""

import pytest
from download_server import HASH
from helpers import names
from panels import FakeView, poll_until_idle

from StrokeSAMLib.ui.packages import PackageError
from StrokeSAMLib.ui.weights_panel import WeightsPanel
from StrokeSAMLib.weights.catalogue import catalogue, find_weights

TINY = "sam2.1-tiny"


@pytest.fixture
def panel(store):
    """On an empty store; `view` and `installed` are the test's, `changes` counts."""
    view, installed, changes = FakeView(), [], []
    made = WeightsPanel(view, install=installed.append)
    made.view, made.installed, made.changes = view, installed, changes
    made.changed = lambda: changes.append(1)
    made.refresh()
    yield made
    made.close()


def actions(panel):
    return panel.view.last("showActions")[0]


def said(panel):
    return panel.view.last("showMessage")[0]


def fetched(panel, id=TINY):
    panel.select(id)
    panel.accept(True)
    panel.fetch()
    poll_until_idle(panel)


def here(panel, id=TINY):
    rows, _selected = panel.view.last("showRows")
    return {row.id: row.here for row in rows}[id]


def test_every_checkpoint_is_listed_with_what_it_is_for(panel):
    rows, selected = panel.view.last("showRows")
    assert [row.id for row in rows] == list(catalogue()) and selected is None
    row = next(row for row in rows if row.id == "medsam2")
    assert (row.title, row.usedBy, row.size, row.licence) == (
        *("MedSAM2", "medsam2", "156 MB"),
        find_weights("medsam2").licence,
    )
    assert {row.id for row in rows if row.here} == {"ncct-unet", "dwi-unet"}
    assert next(row.size for row in rows if row.id == "sam2.1-small") == "?"


def test_terms_are_shown_and_must_be_accepted_for_each_checkpoint(panel, entry):
    made = entry("whole")
    assert actions(panel).fetch == "Select a checkpoint"
    panel.select(TINY)
    assert panel.view.last("showTerms") == (made, made.url)
    assert actions(panel).fetch == "Accept the licence first" and actions(panel).accept
    panel.fetch()
    assert not panel.busy and panel.installed == []
    panel.accept(True)
    assert actions(panel).fetch == ""
    panel.select("medsam2")
    assert panel.view.last("showAccepted") == (False,)
    assert actions(panel).fetch == "Accept the licence first"


def test_fetched_with_progress(panel, entry, store):
    entry("slow")
    fetched(panel)
    assert panel.installed == [("pooch",)]
    assert store.verify(TINY) == HASH and here(panel) and panel.changes
    assert said(panel) == f"SAM 2.1 tiny is here, in {store.folder}"
    fractions = [fraction for fraction, _text in panel.view.all("showProgress")]
    assert fractions[0] == 0 and fractions[-1] == 1 and len(set(fractions)) > 3
    assert actions(panel).stored and actions(panel).delete and not actions(panel).cancel


def test_while_it_is_fetched_only_cancel_works_and_it_leaves_nothing(panel, entry, store):
    entry("slow")
    panel.select(TINY)
    panel.accept(True)
    panel.fetch()
    now = actions(panel)
    assert now.cancel and now.fetch == "Wait for what is under way" and not (now.accept or now.importFile or now.stored)
    panel.cancel()
    poll_until_idle(panel)
    assert said(panel) == "Cancelled" and names(store) == [] and not here(panel)


@pytest.mark.parametrize(
    ("path", "reason"), [("absent", "the server says 404"), ("cut", "cut off"), ("other", "not that file")]
)
def test_a_failure_is_told_in_the_panel(panel, entry, store, path, reason):
    entry(path)
    fetched(panel)
    assert reason in said(panel) and names(store) == [] and not here(panel)
    assert actions(panel).fetch == ""


def test_one_without_a_published_hash_is_read_so_torch_is_needed(panel, entry):
    entry("page", sha256=None, bytes=None)
    fetched(panel)
    assert panel.installed == [("pooch", "torch")] and "refused" in said(panel)


def test_declined_packages_are_told_and_nothing_is_fetched(panel, entry, store):
    def decline(packages):
        raise PackageError("Python package pooch: you declined the installation")

    entry("whole")
    panel._install = decline
    fetched(panel)
    assert said(panel).endswith("you declined the installation") and names(store) == []
    assert actions(panel).fetch == ""


def test_what_was_begun_while_packages_were_installed_goes_on_alone(panel, entry, store):
    def check_another(packages):
        panel._install = lambda packages: None
        panel.select("ncct-unet")
        panel.verify()

    entry("whole")
    panel._install = check_another
    panel.select(TINY)
    panel.accept(True)
    panel.fetch()
    assert said(panel) == "Wait for what is under way"
    poll_until_idle(panel)
    assert said(panel).startswith("ncct-unet is intact") and names(store) == []


def test_one_that_cannot_be_fetched_says_why_and_can_be_imported(panel, swift, store):
    panel.select("swift-medsam")
    assert "cannot be fetched" in actions(panel).fetch and not actions(panel).accept
    panel.importFile(swift)
    poll_until_idle(panel)
    assert here(panel, "swift-medsam") and "keys are those of the network" in said(panel)
    assert store.path("swift-medsam").read_bytes() == swift.read_bytes()


def test_what_ships_is_here_and_neither_fetched_nor_imported(panel, store):
    panel.refresh()
    (rows, _) = panel.view.last("showRows")
    assert {row.id: row.here for row in rows}["ncct-unet"]
    panel.select("ncct-unet")
    assert panel.view.last("showTerms")[1] == "it comes with StrokeSAM"
    (now,) = panel.view.last("showActions")
    assert now.fetch == "It comes with StrokeSAM: there is nothing to fetch" and not (now.accept or now.importFile)
    assert now.stored and not now.delete
    panel.remove()
    assert panel.view.last("showMessage") == ("ncct-unet ships with StrokeSAM: it is not deleted",)


def test_a_file_of_another_network_is_refused(panel, swift, store):
    panel.select("lite-medsam")
    panel.importFile(swift)
    poll_until_idle(panel)
    assert "weights of another network" in said(panel) and names(store) == []


def test_verified_and_deleted(panel, entry, store):
    entry("whole")
    fetched(panel)
    panel.verify()
    poll_until_idle(panel)
    assert said(panel) == f"{TINY} is intact, SHA-256 {HASH}"
    store.path(TINY).write_bytes(b"changed")
    panel.verify()
    poll_until_idle(panel)
    assert "changed or damaged" in said(panel) and said(panel).endswith("; again: fetch or import it")
    path = store.path(TINY)
    panel.remove()
    assert said(panel) == f"Deleted {path}" and not here(panel) and not actions(panel).stored
    panel.remove()
    panel.verify()
    assert not panel.busy


def test_another_folder_is_looked_at_when_asked(panel, entry, store, tmp_path, monkeypatch):
    entry("whole")
    fetched(panel)
    monkeypatch.setenv("STROKESAM_WEIGHTS", str(tmp_path / "elsewhere"))
    panel.refresh()
    assert not here(panel)
