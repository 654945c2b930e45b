"""The registry of automatic methods: what each is called, what it needs, how it is run."""

from __future__ import annotations

import dataclasses
import importlib
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.monitor import Monitor, ProgressCallback
from StrokeSAMLib.options import build_options
from StrokeSAMLib.packages import check_installed, not_installed
from StrokeSAMLib.weights.lookup import readiness

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.lesion.result import LesionResult


@dataclass(frozen=True)
class Input:
    """An image that a method takes: its key ("ncct", "dwi", …) and the words a user knows it by."""

    key: str
    title: str


@dataclass(frozen=True)
class Method:
    """An automatic method.

    Attributes:
        id: its public name.
        title: what a user reads in a list.
        summary: one sentence on how it works.
        inputs: every input it knows; the first is its reference, whose grid the result has.
        needs: the inputs it cannot do without: one key of each tuple must be given.
        module: the module of `StrokeSAMLib.lesion` with its `Options` class and its function
            ``run(inputs, options, monitor) -> LesionResult``; imported when first used.
        packages: the Python packages it imports.
        weights: whether it is a network: its options have `weights` and `device`.
        organ: what it looks at; Slicer's panel, and the codes of its segments, know the brain alone.
    """

    id: str
    title: str
    summary: str
    inputs: tuple[Input, ...]
    needs: tuple[tuple[str, ...], ...]
    module: str
    packages: tuple[str, ...] = ("numpy", "scipy", "SimpleITK")
    weights: bool = False
    organ: str = "brain"

    @property
    def reference(self) -> str:
        """The key of the input on whose grid the result is."""
        return self.inputs[0].key

    def needs_text(self) -> str:
        """What it needs, in words: "dwi; adc or b0"."""
        return "; ".join(" or ".join(keys) for keys in self.needs)

    def options_class(self) -> type:
        """The dataclass of its options (see `options.option`)."""
        return self._implementation().Options

    def check_inputs(self, given: Mapping[str, Any]) -> None:
        """Raise `InputError` where an input is missing or not one of this method's."""
        known = {entry.key for entry in self.inputs}
        for key in given:
            if key not in known:
                raise InputError(f"method {self.id} takes no input '{key}'; it needs {self.needs_text()}")
        for keys in self.needs:
            if not any(key in given for key in keys):
                raise InputError(f"method {self.id} needs {' or '.join(keys)}, which was not given")

    def missing_packages(self) -> list[str]:
        """Those of `packages` that are not installed."""
        return not_installed(self.packages)

    def readiness(self) -> str:
        """ "yes", or what is missing here."""
        missing = self.missing_packages()
        if missing:
            return f"no: needs {', '.join(missing)}"
        return readiness("method", self.id) if self.weights else "yes"

    def build_options(self, given: Mapping[str, Any]) -> Any:
        """This method's options with the values `given`; `OptionError` where one is unknown or out of range."""
        return build_options(self.options_class(), given, f"method {self.id}")

    def run(self, inputs: Mapping[str, sitk.Image], options: Mapping[str, Any], monitor: Monitor) -> LesionResult:
        """Check inputs and options, and segment."""
        self.check_inputs(inputs)
        built = self.build_options(options)
        result = self._implementation().run(inputs, built, monitor)
        return dataclasses.replace(result, options={**dataclasses.asdict(built), **result.options})

    def _implementation(self) -> Any:
        check_installed(f"method {self.id}", self.packages)
        return importlib.import_module(f"StrokeSAMLib.lesion.{self.module}")


_NETWORK = ("torch", "segment_anything", "monai")
_DIFFUSION = (Input("dwi", "DWI (trace, b≈1000)"), Input("adc", "ADC"), Input("b0", "b=0 image"))
_COMPACT = ("torch", "safetensors")
METHODS: tuple[Method, ...] = (
    Method(
        id="ncct-unet",
        title="NCCT: compact U-Net (weights included)",
        summary="A small network trained on synthetic strokes, on the scan and its registered mirror image.",
        inputs=(Input("ncct", "Non-contrast CT"),),
        needs=(("ncct",),),
        module="ncct_unet",
        packages=_COMPACT,
        weights=True,
    ),
    Method(
        id="dwi-unet",
        title="DWI + ADC: compact U-Net (weights included)",
        summary="A small network trained on synthetic strokes, on DWI and ADC.",
        inputs=_DIFFUSION,
        needs=(("dwi",), ("adc", "b0")),
        module="dwi_unet",
        packages=_COMPACT,
        weights=True,
    ),
    Method(
        id="asymmetry",
        title="NCCT: left–right asymmetry (no weights)",
        summary="Hypodensity of one hemisphere against the registered mirror image of the other.",
        inputs=(Input("ncct", "Non-contrast CT"),),
        needs=(("ncct",),),
        module="asymmetry",
    ),
    Method(
        id="diffusion",
        title="DWI + ADC: diffusion restriction (no weights)",
        summary="Low ADC and high DWI signal, grown from sure seeds by hysteresis.",
        inputs=_DIFFUSION,
        needs=(("dwi",), ("adc", "b0")),
        module="diffusion",
    ),
    Method(
        id="aisct-sam",
        title="NCCT: AISCT-SAM",
        summary="A tuned SAM encoder on the scan and its registered mirror image.",
        inputs=(Input("ncct", "Non-contrast CT"),),
        needs=(("ncct",),),
        module="aisct_sam",
        packages=_NETWORK,
        weights=True,
    ),
    Method(
        id="sam-unetr",
        title="Prostate MR: SAM-UNETR",
        summary="Clinically significant cancer by SAM's ViT-H with UNETR's decoder, slice by slice.",
        inputs=(
            Input("t2w", "T2-weighted MR"),
            Input("adc", "ADC"),
            Input("dwi", "High-b DWI"),
            Input("zones", "Zones of the prostate (1 central, 2 peripheral)"),
        ),
        needs=(("t2w",), ("adc",), ("dwi",), ("zones",)),
        module="sam_unetr",
        packages=_NETWORK,
        weights=True,
        organ="prostate",
    ),
)


AUTO = "auto"
# For the image that is given: the network that ships, and the rule in its place where it cannot run.
_AUTOMATIC = {"ncct": ("ncct-unet", "asymmetry"), "dwi": ("dwi-unet", "diffusion")}


def find_method(id: str) -> Method:
    """The method called `id`.

    Raises:
        OptionError: there is none; the message lists those there are.
    """
    for method in METHODS:
        if method.id == id:
            return method
    raise OptionError(f"there is no method '{id}'; the methods are: {', '.join(m.id for m in METHODS)}")


def choose_method(id: str, given: Collection[str]) -> tuple[Method, str]:
    """The method called `id`; for "auto" the best that can run here for the inputs `given`, and why it was chosen.

    Raises:
        OptionError: there is none called so.
        InputError: "auto", and the inputs do not say what to segment.
    """
    if id != AUTO:
        return find_method(id), ""
    keys = [key for key in _AUTOMATIC if key in given]
    if len(keys) != 1:
        here = " and ".join(keys) or "neither"
        raise InputError(f"name a method, or give one of {' and '.join(_AUTOMATIC)}; {here} was given")
    network, rule = map(find_method, _AUTOMATIC[keys[0]])
    lack = network.readiness().removeprefix("no: ")
    if lack == "yes":
        return network, f"method {network.id}: the default for {keys[0]}"
    return rule, f"method {rule.id}: {network.id}, the default for {keys[0]}, {lack}"


def segment(
    inputs: Mapping[str, sitk.Image],
    method: str = AUTO,
    progress: ProgressCallback | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> LesionResult:
    """Segment the lesion in `inputs`, images by key ("ncct", "dwi", "adc", "b0", …).

    Args:
        inputs: images in patient space (LPS, millimetres); CT in Hounsfield units.
        method: a method id, such as "asymmetry" (see `METHODS`); "auto" for the best that can run here, which the
            result's first warning then names.
        progress: called as ``progress(fraction, text)``.
        cancel: set it from another thread to stop the work.
        options: the method's options by name; unknown names and values out of range are refused.

    Raises:
        InputError: an input is missing or unusable; the text says which and why.
        OptionError: an unknown method or option, or a bad value.
        Cancelled: `cancel` was set.
    """
    chosen, why = choose_method(method, inputs)
    result = chosen.run(inputs, options, Monitor(progress, cancel))
    return result.noting(why) if why else result
