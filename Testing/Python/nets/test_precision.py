"""The precision is chosen by the device's instructions, never by timing."""

import pytest

torch = pytest.importorskip("torch")

from StrokeSAMLib.nets import precision  # noqa: E402


@pytest.fixture
def processor(monkeypatch):
    """Sets the instructions that an x86 processor says it has."""
    precision.has_bfloat16.cache_clear()
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")

    def has(*names):
        for name in ("avx512_bf16", "amx_tile"):
            monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda held=name in names: held, raising=False)

    yield has
    precision.has_bfloat16.cache_clear()


@pytest.mark.parametrize("names", [("avx512_bf16",), ("amx_tile",), ("avx512_bf16", "amx_tile")])
def test_auto_is_bfloat16_where_the_processor_has_instructions_for_it(processor, names):
    processor(*names)
    assert precision.choose_precision("auto", "cpu") == "bfloat16"


def test_auto_is_float32_on_any_other_processor(processor):
    processor()
    assert precision.choose_precision("auto", "cpu") == "float32"


def test_auto_is_float32_where_products_in_bfloat16_are_wrong(processor, monkeypatch):
    processor("avx512_bf16")
    monkeypatch.setattr(precision, "_product_error", lambda: 0.2)
    assert precision.choose_precision("auto", "cpu") == "float32"


def test_auto_is_float32_on_mps():
    assert precision.choose_precision("auto", "mps") == "float32"


def test_a_precision_that_is_given_is_taken():
    assert precision.choose_precision("bfloat16", "cpu") == "bfloat16"
    assert precision.choose_precision("float32", "cuda") == "float32"


def test_the_choice_is_noted_only_where_the_device_made_it():
    assert precision.precision_note("auto", "bfloat16", "cuda") == ["computed in bfloat16 on cuda"]
    assert precision.precision_note("float32", "float32", "cuda") == []


def test_products_in_bfloat16_are_nearly_those_in_float32():
    assert precision._product_error() < 0.01
