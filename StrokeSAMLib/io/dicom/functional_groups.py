"""The functional groups of enhanced multi-frame files: the elements that hold for one frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from StrokeSAMLib.io.dicom.attributes import Attributes


def has_groups(dataset: Dataset) -> bool:
    return "SharedFunctionalGroupsSequence" in dataset or "PerFrameFunctionalGroupsSequence" in dataset


def frame_attributes(dataset: Dataset, frames: int) -> Iterator[Attributes]:
    """The attributes of each frame: first the frame's own groups, then the shared ones, then the file's elements.

    Every group is a sequence of one item; the elements of all items are looked up together. This also finds what a
    converter from single slices kept unassigned, such as the b-value.
    """
    top = Attributes(dataset)
    shared = [group for item in top.items("SharedFunctionalGroupsSequence")[:1] for group in _groups(item)]
    each = top.items("PerFrameFunctionalGroupsSequence")
    for number in range(frames):
        own = _groups(each[number]) if number < len(each) else []
        yield Attributes(*own, *shared, dataset)


def _groups(item: Dataset) -> list[Dataset]:
    """The groups in an item, with the item of a group nested in a group, as the direction in the diffusion group."""
    attributes, groups = Attributes(item), []
    for tag in list(item.keys()):
        for group in attributes.items(tag)[:1] if _is_sequence(item, tag) else []:
            groups.append(group)
            inner = Attributes(group)
            groups += inner.items("DiffusionGradientDirectionSequence")[:1]
    return groups


def _is_sequence(item: Dataset, tag: int) -> bool:
    try:
        return item[tag].VR == "SQ"
    except Exception:  # a damaged value raises any exception in pydicom
        return False
