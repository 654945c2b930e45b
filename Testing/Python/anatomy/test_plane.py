"""The distance of voxels from a plane in patient space."""

import numpy as np
import pytest
from small_images import image_from

from StrokeSAMLib.anatomy.plane import Plane


def test_distance_is_measured_in_patient_space_on_a_flipped_and_oblique_grid():
    turn = np.deg2rad(30)
    axes = np.array([[-np.cos(turn), np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    image = image_from(np.zeros((3, 4, 5), np.float32), (0.5, 2.0, 3.0), (10.0, -20.0, 5.0), axes)
    plane = Plane.through(np.array([4.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0]))
    distance = plane.distance_map(image)
    for index in [(0, 0, 0), (4, 3, 2), (1, 2, 0)]:
        expected = image.TransformIndexToPhysicalPoint(index)[0] - 4.0
        assert distance[index[::-1]] == pytest.approx(expected, abs=1e-4)


def test_normal_points_to_the_patients_left():
    assert Plane.through(np.zeros(3), np.array([-1.0, 0.2, 0.0])).normal[0] > 0


def test_the_reflection_negates_the_distance_of_a_point():
    plane = Plane.through(np.array([4.0, 1.0, 2.0]), np.array([2.0, 0.5, -0.3]))
    normal, point = np.asarray(plane.normal), np.array([30.0, -7.0, 12.0])
    mirrored = np.asarray(plane.reflection().TransformPoint(point.tolist()))
    assert normal @ mirrored - plane.offset == pytest.approx(plane.offset - normal @ point)
    np.testing.assert_allclose(np.cross(mirrored - point, normal), 0, atol=1e-9)
