"""The registry of the automatic methods: their names, their inputs, and how to run them."""

from __future__ import annotations

import dataclasses
import importlib
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.core.installed_packages import check_installed, not_installed
from StrokeSAMLib.core.monitor import Monitor, ProgressCallback
from StrokeSAMLib.core.options import build_options
from StrokeSAMLib.weights.lookup import readiness

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.lesion.result import LesionResult


@dataclass(frozen=True)
class Input:
    """An image that a method takes.

    Attributes:
        key: "ncct", "dwi", …
        title: its name in lists and panels.
        is_labels: its voxels are labels, which are never interpolated.
    """

    key: str
    title: str
    is_labels: bool = False


@dataclass(frozen=True)
class Method:
    """An automatic method.

    Attributes:
        id: its public id.
        title: its name in lists and panels.
        summary: one sentence on how it works.
        inputs: every input that it takes. The first one is its reference: the result is on the grid of this image.
        needs: the required inputs. One key of each tuple must be given.
        module: the module of `StrokeSAMLib.lesion.methods` with its `Options` class and its function
            ``run(inputs, options, monitor) -> LesionResult``. It is imported at the first use.
        packages: the Python packages that it imports.
        weights: True for a network. Its options then include `weights` and `device`.
        organ: the organ that it segments a lesion in. Slicer's panel, and the codes of its segments, support only the
            brain.
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
        """The key of the input whose grid the result has."""
        return self.inputs[0].key

    def needs_text(self) -> str:
        """The required inputs as text: "t2w; adc; dwi; zones"."""
        return "; ".join(" or ".join(keys) for keys in self.needs)

    def options_class(self) -> type:
        """The dataclass of its options (see `core.options.option`).

        Raises:
            InputError: a package that the method needs is not installed.
        """
        return self._implementation().Options

    def check_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Check the keys of the inputs.

        Raises:
            InputError: a required input is missing, or the method does not take one of the inputs.
        """
        known = {entry.key for entry in self.inputs}
        for key in inputs:
            if key not in known:
                raise InputError(f"method {self.id} takes no input '{key}'; it needs {self.needs_text()}")
        for keys in self.needs:
            if not any(key in inputs for key in keys):
                raise InputError(f"method {self.id} needs {' or '.join(keys)}, which was not given")

    def missing_packages(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return not_installed(self.packages)

    def readiness(self) -> str:
        """ "yes", or "no: " with the packages or the weights that are missing on this computer."""
        missing = self.missing_packages()
        if missing:
            return f"no: needs {', '.join(missing)}"
        return readiness("method", self.id) if self.weights else "yes"

    def build_options(self, values: Mapping[str, Any]) -> Any:
        """The method's options with these values, and defaults for the others.

        Raises:
            OptionError: an option is unknown, or a value is of the wrong type or out of range.
        """
        return build_options(self.options_class(), values, f"method {self.id}")

    def run(self, inputs: Mapping[str, sitk.Image], options: Mapping[str, Any], monitor: Monitor) -> LesionResult:
        """Check the inputs and the options, and segment the lesion; see `segment` for arguments and errors."""
        from StrokeSAMLib.lesion.prepared_inputs import PreparedInputs

        self.check_inputs(inputs)
        built = self.build_options(options)
        prepared = PreparedInputs(inputs, {entry.key for entry in self.inputs if entry.is_labels})
        result = self._implementation().run(prepared.images, built, monitor)
        result = prepared.on_grid_of(self.reference, result).with_warnings(*prepared.notes)
        return dataclasses.replace(result, options={**dataclasses.asdict(built), **result.options})

    def _implementation(self) -> Any:
        check_installed(f"method {self.id}", self.packages)
        return importlib.import_module(f"StrokeSAMLib.lesion.methods.{self.module}")


_NETWORK = ("torch", "segment_anything", "monai")
_DIFFUSION = (Input("dwi", "DWI (trace, b≈1000)"), Input("adc", "ADC"), Input("b0", "b=0 image"))
METHODS: tuple[Method, ...] = (
    Method(
        id="ncct-unet",
        title="NCCT: compact U-Net (weights included)",
        summary="A small network, trained on synthetic strokes, compares the scan with its registered mirror image.",
        inputs=(Input("ncct", "Non-contrast CT"),),
        needs=(("ncct",),),
        module="ncct_unet",
        weights=True,
    ),
    Method(
        id="dwi-unet",
        title="DWI + ADC: compact U-Net (weights included)",
        summary="A small network, trained on synthetic strokes, segments the lesion in DWI and ADC.",
        inputs=_DIFFUSION,
        needs=(("dwi",),),
        module="dwi_unet",
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
        summary="Regions of low ADC and high DWI signal, grown from seeds with clear signs by hysteresis.",
        inputs=_DIFFUSION,
        needs=(("dwi",),),
        module="diffusion",
    ),
    Method(
        id="aisct-sam",
        title="NCCT: AISCT-SAM",
        summary="A fine-tuned SAM encoder compares the scan with its registered mirror image.",
        inputs=(Input("ncct", "Non-contrast CT"),),
        needs=(("ncct",),),
        module="aisct_sam",
        packages=_NETWORK,
        weights=True,
    ),
    Method(
        id="sam-unetr",
        title="Prostate MR: SAM-UNETR",
        summary="SAM's ViT-H with UNETR's decoder segments clinically significant cancer, slice by slice.",
        inputs=(
            Input("t2w", "T2-weighted MR"),
            Input("adc", "ADC"),
            Input("dwi", "High-b DWI"),
            Input("zones", "Zones of the prostate (1 central, 2 peripheral)", is_labels=True),
        ),
        needs=(("t2w",), ("adc",), ("dwi",), ("zones",)),
        module="sam_unetr",
        packages=_NETWORK,
        weights=True,
        organ="prostate",
    ),
)


AUTO = "auto"
# For each input: the network with included weights, and the rule for computers where the network cannot run.
_AUTOMATIC = {"ncct": ("ncct-unet", "asymmetry"), "dwi": ("dwi-unet", "diffusion")}


def find_method(id: str) -> Method:
    """The method with this id.

    Raises:
        OptionError: there is no such method. The message lists the ids.
    """
    for method in METHODS:
        if method.id == id:
            return method
    raise OptionError(f"there is no method '{id}'; the methods are: {', '.join(m.id for m in METHODS)}")


def choose_method(id: str, inputs: Collection[str]) -> tuple[Method, str]:
    """Find a method by its id, or choose one for the inputs.

    Args:
        id: of a method, or "auto": the network for the inputs, or the method without weights where the network cannot
            run here.
        inputs: keys of the inputs.

    Returns:
        The method, and a line that says why "auto" chose it; empty for a method found by its id.

    Raises:
        OptionError: there is no method with this id.
        InputError: `id` is "auto", and the inputs do not determine a method.
    """
    if id != AUTO:
        return find_method(id), ""
    keys = [key for key in _AUTOMATIC if key in inputs]
    if len(keys) != 1:
        present = " and ".join(keys) or "neither"
        raise InputError(f"name a method, or give one of {' and '.join(_AUTOMATIC)}; {present} was given")
    network, rule = map(find_method, _AUTOMATIC[keys[0]])
    missing = network.readiness().removeprefix("no: ")
    if missing == "yes":
        return network, f"method {network.id}: the default for {keys[0]}"
    return rule, f"method {rule.id}: {network.id}, the default for {keys[0]}, {missing}"


def segment(
    inputs: Mapping[str, sitk.Image],
    method: str = AUTO,
    progress: ProgressCallback | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> LesionResult:
    """Segment the lesion in a patient's images.

    Args:
        inputs: images in patient space (LPS, mm) by key ("ncct", "dwi", "adc", "b0", …). A CT is in HU, an ADC in
            mm²/s, 10⁻³ mm²/s or 10⁻⁶ mm²/s.
        method: id of a method, such as "asymmetry" (see `METHODS`), or "auto" for the best one that can run here. The
            first warning of the result then names it.
        progress: called as ``progress(fraction, text)`` with a fraction in 0…1.
        cancel: set it from another thread to stop the work.
        options: the method's options by name.

    Returns:
        The lesion and its score on the grid of the method's first input, with the brain mask, the mid-sagittal plane,
        the options and the warnings.

    Raises:
        InputError: an input is missing or unusable, or a package or the weights of the method are not installed. The
            text names the input and the reason.
        OptionError: the method or an option is unknown, or a value is out of range.
        Cancelled: `cancel` was set.
    """
    chosen, why = choose_method(method, inputs)
    result = chosen.run(inputs, options, Monitor(progress, cancel))
    return result.with_warnings(why) if why else result
