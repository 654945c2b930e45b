"""Transforms copied in full: what the scene does to its own afterwards leaves the copy as it is."""

from __future__ import annotations

from typing import Any

import vtk

# What VTK's own copy of a transform shares with it: how it is asked for, and given.
_SHARED = (
    ("GetSourceLandmarks", "SetSourceLandmarks"),
    ("GetTargetLandmarks", "SetTargetLandmarks"),
    ("GetDisplacementGrid", "SetDisplacementGridData"),
    ("GetCoefficientData", "SetCoefficientData"),
    ("GetGridDirectionMatrix", "SetGridDirectionMatrix"),
    ("GetBulkTransformMatrix", "SetBulkTransformMatrix"),
)


def copied(transform: vtk.vtkAbstractTransform) -> vtk.vtkGeneralTransform:
    """A copy, for any thread; of a grid the numbers are not copied, as those of a volume are not."""
    made = vtk.vtkGeneralTransform()
    made.PostMultiply()
    _append(transform, made)
    return made


def _append(transform: vtk.vtkAbstractTransform, made: vtk.vtkGeneralTransform) -> None:
    if isinstance(transform, vtk.vtkGeneralTransform):
        for n in range(transform.GetNumberOfConcatenatedTransforms()):
            _append(transform.GetConcatenatedTransform(n), made)
        return
    transform.Update()  # an inverse is what it is the inverse of only then
    made.Concatenate(_linear(transform) if isinstance(transform, vtk.vtkLinearTransform) else _bent(transform))


def _linear(transform: vtk.vtkLinearTransform) -> vtk.vtkTransform:
    copy = vtk.vtkTransform()
    copy.SetMatrix(transform.GetMatrix())
    return copy


def _bent(transform: vtk.vtkAbstractTransform) -> vtk.vtkAbstractTransform:
    copy = transform.MakeTransform()
    copy.DeepCopy(transform)
    for get, give in _SHARED:
        shared = getattr(transform, get)() if hasattr(transform, get) else None
        if shared is not None:
            getattr(copy, give)(_copyOf(shared))
    return copy


def _copyOf(shared: Any) -> Any:
    own = shared.NewInstance()
    own.ShallowCopy(shared) if isinstance(shared, vtk.vtkImageData) else own.DeepCopy(shared)
    return own
