"""Conversion between volume nodes and images, with the full geometry and all parent transforms.

Images are in world coordinates, because a parent transform may turn the head upright. A rigid parent transform, or
one that scales along the axes, changes only the geometry: the image has the voxels of the volume. With any other
transform the volume is resampled, and results are resampled back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
import vtk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.mrml.space import arrayOf, lpsMatrix, voxelsOf
from StrokeSAMLib.mrml.transforms import copyTransform

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.geometry import Patch

# Axes are orthogonal if the cosine of the angle between them is at most this.
_ORTHOGONAL = 1e-4


@dataclass(frozen=True, eq=False)
class VolumeSnapshot:
    """The state of a volume at one moment, without its MRML node.

    It is taken on the main thread, which is fast, and converted to an image on any thread.

    Attributes:
        name: the volume's name.
        volumeId: id of the volume's node.
        needsResampling: whether the volume must be resampled because of its transform.
    """

    name: str
    volumeId: str
    needsResampling: bool
    _oriented: slicer.vtkOrientedImageData
    _toWorld: vtk.vtkGeneralTransform | None

    def image(self) -> sitk.Image:
        """The volume as an image in world coordinates (LPS, mm). It shares no memory with the node."""
        oriented = slicer.vtkOrientedImageData()
        oriented.ShallowCopy(self._oriented)
        if self._toWorld is not None:
            lowest = oriented.GetScalarRange()[0]
            resample = slicer.vtkOrientedImageDataResample
            resample.TransformOrientedImage(
                oriented, self._toWorld, False, self.needsResampling, True, [lowest, 0.0, 0.0, 0.0]
            )
        return imageFromOriented(oriented)


def volumeState(node: slicer.vtkMRMLScalarVolumeNode) -> object:
    """A key that stays equal as long as the volume's voxels and their position in the world do not change."""
    parent, toWorld, ijkToRas = node.GetParentTransformNode(), vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    transformTime = 0
    if parent is not None:
        if parent.IsTransformToWorldLinear():
            parent.GetMatrixTransformToWorld(toWorld)
        else:
            transformTime = parent.GetTransformToWorldMTime()
    data = node.GetImageData()
    matrices = (tuple(arrayOf(matrix).ravel().tolist()) for matrix in (ijkToRas, toWorld))
    return (node.GetID(), 0 if data is None else data.GetMTime(), transformTime, *matrices)


def worldTransform(node: slicer.vtkMRMLTransformableNode) -> vtk.vtkGeneralTransform | None:
    """A copy of the transform from the node's frame to the world, for any thread; None if there is no transform."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return None
    live = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, None, live)
    return copyTransform(live)


def snapshotOf(node: slicer.vtkMRMLScalarVolumeNode) -> VolumeSnapshot:
    """Take a snapshot of the volume. Only its geometry is copied.

    Raises:
        InputError: there is no volume node, or it has no voxels or several components per voxel; the text names it.
    """
    _checkVolume(node)
    return VolumeSnapshot(node.GetName(), node.GetID(), needsResampling(node), _oriented(node), worldTransform(node))


def imageFromVolumeNode(node: slicer.vtkMRMLScalarVolumeNode) -> sitk.Image:
    """The volume as an image in world coordinates (LPS, mm). It shares no memory with the node.

    Raises:
        InputError: see `snapshotOf`.
    """
    return snapshotOf(node).image()


def volumeNodeFromImage(image: sitk.Image, scene: slicer.vtkMRMLScene, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Create a volume node from `image`, in world coordinates, with a display node."""
    import SimpleITK as sitk

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    data = _vtkImage(sitk.GetArrayFromImage(image))
    node.SetIJKToRASMatrix(_matrix(_ijkToRas(image)))
    node.SetAndObserveImageData(data)
    node.CreateDefaultDisplayNodes()
    return node


def setStrokeWindow(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a CT with the stroke window: level 40 HU, width 80 HU (Lev et al. 1999, Radiology 213:150)."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(80, 40)


def needsResampling(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a parent transform makes the volume's axes non-orthogonal, so that the volume must be resampled."""
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
    """Convert a mask of the volume's image into a labelmap on the volume's grid, in the frame of its parent transform.

    Raises:
        InputError: the volume's size changed after its image was taken.
    """
    import SimpleITK as sitk

    if needsResampling(node):
        return _resampledBack(patch.image, node)
    if patch.size != tuple(node.GetImageData().GetDimensions()):
        raise InputError(f"{node.GetName()}: the volume changed during the segmentation")
    data = _vtkImage(sitk.GetArrayFromImage(patch.image))
    # The indices of a volume count from its extent, which need not begin at 0.
    firsts = (first + start for first, start in zip(node.GetImageData().GetExtent()[::2], patch.start, strict=True))
    data.SetExtent(
        *(n for first, size in zip(firsts, patch.image.GetSize(), strict=True) for n in (first, first + size - 1))
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
        raise InputError(f"{node.GetName()}: a scalar volume is needed; this one has several components per voxel")


def _oriented(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """The volume as an oriented image with its own geometry; it shares the voxels with the node."""
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
    """Convert an oriented image (RAS) to an image (LPS). The voxels are copied.

    The first voxel of the extent becomes voxel 0 of the image.
    """
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

    from StrokeSAMLib.imaging.geometry import affine_of

    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_of(image)


def _vtkImage(array: np.ndarray) -> vtk.vtkImageData:
    """A VTK image with a copy of `array` (k, j, i)."""
    from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk

    data = vtk.vtkImageData()
    data.SetDimensions(*array.shape[::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True, array_type=get_vtk_array_type(array.dtype)))
    return data


def _matrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(array.ravel().tolist())
    return matrix
