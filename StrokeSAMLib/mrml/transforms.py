"""Deep copies of transforms. Later changes of the scene's transforms do not change a copy."""

from __future__ import annotations

from typing import Any

import vtk

# Data that VTK's DeepCopy shares between a transform and its copy: names of the getter and the setter.
_SHARED = (
    ("GetSourceLandmarks", "SetSourceLandmarks"),
    ("GetTargetLandmarks", "SetTargetLandmarks"),
    ("GetDisplacementGrid", "SetDisplacementGridData"),
    ("GetCoefficientData", "SetCoefficientData"),
    ("GetGridDirectionMatrix", "SetGridDirectionMatrix"),
    ("GetBulkTransformMatrix", "SetBulkTransformMatrix"),
)


def copyTransform(transform: vtk.vtkAbstractTransform) -> vtk.vtkGeneralTransform:
    """Return a copy that any thread may use. The voxels of a displacement grid are shared, like those of a volume."""
    copy = vtk.vtkGeneralTransform()
    copy.PostMultiply()
    _append(transform, copy)
    return copy


def _append(transform: vtk.vtkAbstractTransform, copy: vtk.vtkGeneralTransform) -> None:
    if isinstance(transform, vtk.vtkGeneralTransform):
        for n in range(transform.GetNumberOfConcatenatedTransforms()):
            _append(transform.GetConcatenatedTransform(n), copy)
        return
    transform.Update()  # an inverse transform computes its values here
    isLinear = isinstance(transform, vtk.vtkLinearTransform)
    copy.Concatenate(_copyLinear(transform) if isLinear else _copyNonLinear(transform))


def _copyLinear(transform: vtk.vtkLinearTransform) -> vtk.vtkTransform:
    copy = vtk.vtkTransform()
    copy.SetMatrix(transform.GetMatrix())
    return copy


def _copyNonLinear(transform: vtk.vtkAbstractTransform) -> vtk.vtkAbstractTransform:
    copy = transform.MakeTransform()
    copy.DeepCopy(transform)
    for getter, setter in _SHARED:
        shared = getattr(transform, getter)() if hasattr(transform, getter) else None
        if shared is not None:
            getattr(copy, setter)(_copyData(shared))
    return copy


def _copyData(shared: Any) -> Any:
    copy = shared.NewInstance()
    copy.ShallowCopy(shared) if isinstance(shared, vtk.vtkImageData) else copy.DeepCopy(shared)
    return copy
