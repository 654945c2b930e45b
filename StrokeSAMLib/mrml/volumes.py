"""Volume nodes ↔ images: the geometry in full, parent transforms included.

A volume's voxels are analysed where they are in the world, since a transform may have turned the head upright. A
rigid (or axis-wise scaling) parent transform only changes the geometry: the voxels of the image are those of the
volume. Any other transform bends the grid: the volume is resampled, and results are resampled back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
import vtk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.mrml.space import arrayOf, lpsMatrix, voxelsOf
from StrokeSAMLib.mrml.transforms import copied

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.geometry import Patch

_ORTHOGONAL = 1e-4


@dataclass(frozen=True, eq=False)
class VolumeSnapshot:
    """A volume as it is now, free of MRML: taken on the main thread in no time, made an image on any other.

    Attributes:
        name: the volume's.
        volumeId: of its node.
        bent: whether its transform needs it resampled.
    """

    name: str
    volumeId: str
    bent: bool
    _oriented: slicer.vtkOrientedImageData
    _toWorld: vtk.vtkGeneralTransform | None

    def image(self) -> sitk.Image:
        """The volume in the world (LPS, mm); it shares no memory with the node."""
        oriented = slicer.vtkOrientedImageData()
        oriented.ShallowCopy(self._oriented)
        if self._toWorld is not None:
            lowest = oriented.GetScalarRange()[0]
            resample = slicer.vtkOrientedImageDataResample
            resample.TransformOrientedImage(oriented, self._toWorld, False, self.bent, True, [lowest, 0.0, 0.0, 0.0])
        return imageFromOriented(oriented)


def placeOf(node: slicer.vtkMRMLScalarVolumeNode) -> object:
    """Something that is equal as long as the volume's voxels and their place in the world are."""
    parent, toWorld, ijkToRas = node.GetParentTransformNode(), vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    bent = 0
    if parent is not None:
        if parent.IsTransformToWorldLinear():
            parent.GetMatrixTransformToWorld(toWorld)
        else:
            bent = parent.GetTransformToWorldMTime()
    data = node.GetImageData()
    matrices = (tuple(arrayOf(matrix).ravel().tolist()) for matrix in (ijkToRas, toWorld))
    return (node.GetID(), 0 if data is None else data.GetMTime(), bent, *matrices)


def worldTransform(node: slicer.vtkMRMLTransformableNode) -> vtk.vtkGeneralTransform | None:
    """A copy of what carries the node's points to the world, for any thread; None for nothing."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return None
    live = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, None, live)
    return copied(live)


def snapshotOf(node: slicer.vtkMRMLScalarVolumeNode) -> VolumeSnapshot:
    """The volume as it is now; nothing is copied but its geometry.

    Raises:
        InputError: no node, no voxels, or several components a voxel; the text names the volume.
    """
    _checkVolume(node)
    return VolumeSnapshot(node.GetName(), node.GetID(), isBent(node), _oriented(node), worldTransform(node))


def imageFromVolumeNode(node: slicer.vtkMRMLScalarVolumeNode) -> sitk.Image:
    """The volume as an image in the world (LPS, mm). The node is not changed and shares no memory with the image.

    Raises:
        InputError: see `snapshotOf`.
    """
    return snapshotOf(node).image()


def volumeNodeFromImage(image: sitk.Image, scene: slicer.vtkMRMLScene, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume node of `image`, in the world, with its display node."""
    import SimpleITK as sitk

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    data = _vtkImage(sitk.GetArrayFromImage(image))
    node.SetIJKToRASMatrix(_matrix(_ijkToRas(image)))
    node.SetAndObserveImageData(data)
    node.CreateDefaultDisplayNodes()
    return node


def isBent(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a parent transform takes the volume off any grid of right angles, so that it must be resampled."""
    import numpy as np

    parent = node.GetParentTransformNode()
    if parent is None:
        return False
    if not parent.IsTransformToWorldLinear():
        return True
    toWorld, ijkToRas = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(toWorld)
    node.GetIJKToRASMatrix(ijkToRas)
    axes = (arrayOf(toWorld) @ arrayOf(ijkToRas))[:3, :3]
    directions = axes / np.linalg.norm(axes, axis=0)
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() > _ORTHOGONAL)


def labelmapForVolume(patch: Patch, node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """A mask made from the volume's image, on the voxels of the volume and in its own (parent's) frame.

    Raises:
        InputError: the volume's size has changed since.
    """
    import SimpleITK as sitk

    if isBent(node):
        return _resampledBack(patch.image, node)
    if patch.size != tuple(node.GetImageData().GetDimensions()):
        raise InputError(f"{node.GetName()}: the volume changed while its lesion was segmented")
    data = _vtkImage(sitk.GetArrayFromImage(patch.image))
    data.SetExtent(
        *(n for start, size in zip(patch.start, data.GetDimensions(), strict=True) for n in (start, start + size - 1))
    )
    labelmap = slicer.vtkOrientedImageData()
    labelmap.ShallowCopy(data)
    ijkToRas = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    labelmap.SetGeometryFromImageToWorldMatrix(ijkToRas)
    return labelmap


def _checkVolume(node: slicer.vtkMRMLNode | None) -> None:
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        name = "nothing" if node is None else f"{node.GetName()} ({node.GetClassName()})"
        raise InputError(f"a scalar volume is needed, not {name}")
    data = node.GetImageData()
    if data is None or data.GetNumberOfPoints() == 0:
        raise InputError(f"{node.GetName()}: the volume has no voxels")
    if data.GetNumberOfScalarComponents() != 1:
        raise InputError(f"{node.GetName()}: a scalar volume is needed; this one has several components a voxel")


def _oriented(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """The voxels, not copied, with the volume's own geometry."""
    oriented = slicer.vtkOrientedImageData()
    oriented.ShallowCopy(node.GetImageData())
    ijkToRas = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    oriented.SetGeometryFromImageToWorldMatrix(ijkToRas)
    return oriented


def _resampledBack(mask: sitk.Image, node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    import SimpleITK as sitk

    inWorld = slicer.vtkOrientedImageData()
    inWorld.ShallowCopy(_vtkImage(sitk.GetArrayFromImage(mask)))
    inWorld.SetGeometryFromImageToWorldMatrix(_matrix(_ijkToRas(mask)))
    grid = _oriented(node)
    fromWorld = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), fromWorld)
    local = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        inWorld, grid, local, False, False, fromWorld
    )
    return local


def imageFromOriented(oriented: slicer.vtkOrientedImageData) -> sitk.Image:
    """Voxels copied; RAS turned into LPS; an extent that does not begin at 0 goes into the origin."""
    import numpy as np
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxelsOf(oriented))
    imageToWorld = vtk.vtkMatrix4x4()
    oriented.GetImageToWorldMatrix(imageToWorld)
    matrix = lpsMatrix(imageToWorld)
    extent = oriented.GetExtent()
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin((matrix @ [extent[0], extent[2], extent[4], 1.0])[:3].tolist())
    return image


def _ijkToRas(image: sitk.Image) -> np.ndarray:
    import numpy as np

    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def _vtkImage(array: np.ndarray) -> vtk.vtkImageData:
    """A VTK image that owns a copy of `array` (k, j, i)."""
    from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk

    data = vtk.vtkImageData()
    data.SetDimensions(*array.shape[::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True, array_type=get_vtk_array_type(array.dtype)))
    return data


def _matrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(array.ravel().tolist())
    return matrix
