"""Trained checkpoints for tests, fetched once into a cache outside the checkout."""

import pytest
from platformdirs import user_cache_path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.download import fetch
from StrokeSAMLib.weights.store import Store


def trained_weights(id):
    """The path of the checkpoint `id`; skip the test if it cannot be fetched."""
    store = Store(user_cache_path("strokesam-tests", appauthor=False) / "weights")
    if store.is_intact(id):
        return store.path(id)
    try:
        return fetch(find_weights(id), store, Monitor())
    except InputError as error:
        pytest.skip(f"no trained weights: {error}")
