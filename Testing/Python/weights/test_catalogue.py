"""The catalogue of checkpoints, and the weights that ship with StrokeSAM."""

import json

import jsonschema
import pytest

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.lesion.registry import METHODS
from StrokeSAMLib.weights import architectures, catalogue
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.importing import import_weights

SCHEMA = json.loads(catalogue._resource("catalogue.schema.json"))


class TestCatalogue:
    def test_follows_its_schema(self):
        document = json.loads(catalogue._resource("catalogue.json"))
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        jsonschema.validate(document, SCHEMA)
        ids = [row["id"] for row in document["weights"]]
        assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("change", [{"sha256": "abc"}, {"url": None}, {"licence": ""}, {"url": "http://x/y.pt"}])
    def test_its_schema_refuses_a_wrong_entry(self, change):
        document = json.loads(catalogue._resource("catalogue.json"))
        document["weights"][0] |= change
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, SCHEMA)

    def test_has_the_weights_of_every_engine_and_no_unknown_users(self):
        known = catalogue.catalogue()
        assert all(engine.id in known[engine.id].used_by for engine in ENGINES if engine.weights)
        users = {user for entry in known.values() for user in entry.used_by}
        # No weights of SAM-UNETR are published.
        methods = {method.id for method in METHODS if method.weights} - {"sam-unetr"}
        assert users == {engine.id for engine in ENGINES if engine.weights} | methods

    def test_sizes_agree(self):
        for entry in catalogue.catalogue().values():
            if entry.bytes is not None:
                assert entry.megabytes == round(entry.bytes / 1e6), entry.id
            # Shipped weights have half precision.
            if entry.megabytes is not None and not entry.shipped:
                assert entry.megabytes == pytest.approx(entry.memory_bytes / 1e6, rel=0.02), entry.id

    def test_memory_is_that_of_the_built_networks(self):
        built = {
            name: architectures.build_network(name)
            for name in (*architectures._SAM, *architectures._SAM2, *architectures._COMPACT)
        }
        for entry in catalogue.catalogue().values():
            if entry.architecture in built:
                state = built[entry.architecture].state_dict().values()
                assert entry.memory_bytes == sum(value.numel() * value.element_size() for value in state), entry.id

    def test_an_unknown_id_is_an_error(self):
        with pytest.raises(OptionError, match=r"no weights 'sam9'; there are: sam2\.1-tiny, "):
            find_weights("sam9")


class TestShipped:
    """Weights that ship with StrokeSAM need no store and no network connection, and cannot be deleted."""

    IDS = tuple(entry.id for entry in catalogue.catalogue().values() if entry.shipped)

    def test_are_those_of_the_small_networks(self):
        assert set(self.IDS) == {"ncct-unet", "dwi-unet", "prompt-unet"}

    @pytest.mark.parametrize("id", IDS)
    def test_are_complete_small_and_of_the_right_network(self, store, id):
        assert store.verify(id) == find_weights(id).sha256
        assert store.find(id).stat().st_size < 6_000_000
        assert architectures.check_weights(find_weights(id), store.find(id), id)
        assert not store.folder.exists()

    @pytest.mark.parametrize("id", IDS)
    def test_have_a_card(self, store, id):
        card = store.find(id).with_suffix(".md").read_text("utf-8")
        assert all(
            words in card for words in ("not a medical device", "Licence", "Not tested", find_weights(id).sha256)
        )

    def test_are_neither_fetched_nor_replaced_nor_deleted(self, store, tmp_path):
        entry = find_weights("ncct-unet")
        for action in (
            entry.download_url,
            lambda: import_weights(entry, store.find(entry.id), store, Monitor()),
            lambda: store.remove(entry.id),
        ):
            with pytest.raises(InputError, match="ncct-unet ships with StrokeSAM"):
                action()
        assert store.find(entry.id).is_file() and not store.folder.exists()
