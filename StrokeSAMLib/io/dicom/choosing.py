"""The stack that an input asks for: the trace at the highest b-value as DWI, the original axial CT as NCCT, …"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from StrokeSAMLib.io.dicom.diffusion import LEAST_B
from StrokeSAMLib.io.dicom.stacks import Stack

# Fewer slices are no volume to segment (see io/image_checks.py).
_LEAST_SLICES = 4
# Nominal b-values of one shell may differ by this part, as the true ones of each direction do.
_SAME_B_PART = 0.05
_ADC = re.compile(r"(?i)(?<![a-z])adc(?![a-z])|apparent[ _]diffusion")
_EXPONENTIAL = re.compile(r"(?i)\be-?adc|exponential|\bexp(?![a-z])")
_OTHER_MAPS = re.compile(r"(?i)(?<![a-z])(fa|colfa|tensor|cbf|cbv|mtt|tmax|ttp|mip|minip|phase|swi)(?![a-z])")
_DIFFUSION = re.compile(r"(?i)dwi|diff|trace")
_T2 = re.compile(r"(?i)(?<![a-z0-9])t2")

Rule = Callable[[Sequence[Stack]], Sequence[Stack]]


def candidates(stacks: Sequence[Stack], wanted: str) -> list[Stack]:
    """The stacks that fit the input `wanted` best; several if they fit equally well.

    Rules follow each other. A rule that leaves nothing is passed over, unless it is a matter of the kind of image: no
    MR is an NCCT. Several DWI stacks of one series and shell are its directions, whose mean is the trace; several b = 0
    stacks of one series are repetitions.

    Args:
        stacks: all stacks that can be read.
        wanted: "ncct", "dwi", "adc", "b0", "t2w" or another key; "" for any image.
    """
    remaining = list(stacks)
    for needed in _NEEDED.get(wanted, ()):
        remaining = [stack for stack in remaining if needed(stack)]
    for rule in (_volumes, *_PREFERRED.get(wanted, ())):
        remaining = list(rule(remaining)) or remaining
    return remaining


def is_shell(stacks: Sequence[Stack], wanted: str) -> bool:
    """Whether several stacks are the directions or repetitions of one volume of diffusion, to be averaged."""
    return (
        wanted in ("dwi", "b0")
        and len({(stack.series, stack.first.plane.size if stack.first.plane else None) for stack in stacks}) == 1
        and all(stack.b is not None and not stack.first.diffusion.is_trace for stack in stacks)
        and len({stack.places for stack in stacks}) == 1
        and (wanted == "b0" or all(stack.first.diffusion.direction is not None for stack in stacks))
    )


def is_adc(stack: Stack) -> bool:
    """Whether the stack is an ADC map, by its image type, else by its description."""
    if any(_EXPONENTIAL.search(word) or word == "EADC" for word in stack.image_type):
        return False
    by_type = any(_ADC.search(word) for word in stack.image_type)
    return by_type or bool(_ADC.search(stack.description) and not _EXPONENTIAL.search(stack.description))


def _is_other_map(stack: Stack) -> bool:
    words = [*stack.image_type, stack.description]
    return any(_OTHER_MAPS.search(word) or _EXPONENTIAL.search(word) or word == "EADC" for word in words)


def _is_diffusion(stack: Stack) -> bool:
    return stack.b is not None or any(_DIFFUSION.search(word) for word in (*stack.image_type, stack.description))


def _volumes(stacks: Sequence[Stack]) -> Sequence[Stack]:
    no_localizers = [stack for stack in stacks if not stack.is_localizer] or stacks
    return [stack for stack in no_localizers if stack.places >= _LEAST_SLICES] or no_localizers


def _only(test: Callable[[Stack], bool]) -> Rule:
    return lambda stacks: [stack for stack in stacks if test(stack)]


def _is_axial(stack: Stack) -> bool:
    return stack.first.plane is not None and stack.first.plane.orientation_name == "axial"


def _highest_b(stacks: Sequence[Stack]) -> Sequence[Stack]:
    b_values = [stack.b for stack in stacks if stack.b is not None]
    least = max(b_values, default=0.0) * (1 - _SAME_B_PART)
    return [stack for stack in stacks if stack.b is not None and stack.b >= max(least, LEAST_B)]


def _lowest_b(stacks: Sequence[Stack]) -> Sequence[Stack]:
    b_values = [stack.b for stack in stacks if stack.b is not None]
    return [stack for stack in stacks if stack.b is not None and stack.b == min(b_values)]


def _traces(stacks: Sequence[Stack]) -> Sequence[Stack]:
    """The traces: by their header, or as the weighted stacks without direction beside others with one."""
    traces = [stack for stack in stacks if stack.first.diffusion.is_trace]
    return traces or [stack for stack in stacks if stack.first.diffusion.direction is None]


_NEEDED: dict[str, tuple[Callable[[Stack], bool], ...]] = {
    "ncct": (lambda stack: stack.modality not in ("MR", "PT", "NM", "US"),),
    "dwi": (
        lambda stack: stack.modality != "CT",
        lambda stack: not is_adc(stack) and (stack.b is None or stack.b >= LEAST_B),
    ),
    "b0": (
        lambda stack: stack.modality != "CT",
        lambda stack: not is_adc(stack),
        lambda stack: (stack.b or 0) < LEAST_B,
    ),
    "adc": (lambda stack: stack.modality != "CT", lambda stack: is_adc(stack) or stack.b is None),
    "t2w": (lambda stack: stack.modality != "CT",),
}
_PREFERRED: dict[str, tuple[Rule, ...]] = {
    "ncct": (
        _only(lambda stack: stack.modality == "CT"),
        _only(lambda stack: "ORIGINAL" in stack.image_type),
        _only(lambda stack: "AXIAL" in stack.image_type),
        _only(_is_axial),
        _only(lambda stack: not stack.first.attributes.text("ContrastBolusAgent")),
    ),
    "dwi": (_only(lambda stack: not _is_other_map(stack)), _only(_is_diffusion), _highest_b, _traces),
    "b0": (_only(lambda stack: not _is_other_map(stack)), _lowest_b),
    "adc": (_only(is_adc), _only(lambda stack: not _is_other_map(stack))),
    "t2w": (
        _only(lambda stack: stack.b is None and not is_adc(stack)),
        _only(lambda stack: bool(_T2.search(stack.description))),
        _only(_is_axial),
    ),
}
