"""The shapes of the head around the brain: skull and its cavity, air sinuses, orbits, muscle, fat and skin.

The sizes are those of an adult. The origin is the middle of the brain, near the foramen of Monro. Axes are L, P, S, mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.phantom.shapes import Points, blend, capsule, carve, ellipsoid, intersection, shell, union

# Skin is 2 to 3 mm thick on the scalp, the fat under it 3 to 5 mm.
_SKIN_MM, _SCALP_MM, _GALEA_MM = 2.4, 7.5, 1.0


@dataclass(frozen=True)
class Skull:
    """The signed distances (mm) of the parts of a head that are not brain."""

    cavity: np.ndarray
    bone: np.ndarray
    diploe: np.ndarray
    outline: np.ndarray
    fat: np.ndarray
    eyes: np.ndarray
    air: np.ndarray
    headrest: np.ndarray


def skull(points: Points, texture: np.ndarray) -> Skull:
    """The skull and the soft tissue of the head.

    Args:
        points: where to evaluate the shapes.
        texture: random folds at `points`, mm. They vary bone, air cells and fat.
    """
    side = points.side
    orbits = capsule(side, (31, -68, -36), (12, -30, -31), 16.0, 4.0)
    base = _base(points, side)
    cavity = carve(4.0, _cavity(points, side), base, orbits - 1.5)
    thickness = _thickness(points, side, texture)
    vault = intersection(cavity - thickness, -62 - points.z)
    sinuses = _sinuses(points, side)
    mastoid = ellipsoid(side, (57, 34, -44), (11, 16, 18))
    walls = union(shell(orbits, 1.5), shell(sinuses, 1.3), _face_bones(points, side))
    soft = _soft_outline(points, side, cavity - thickness)
    cells = intersection(mastoid + 2.5, 0.9 - np.abs(texture))
    eyes = ellipsoid(side, (31, -74, -36), (12, 12, 12))
    bone = intersection(union(vault, base, mastoid, walls), -cavity, 3.0 + soft)
    return Skull(
        cavity=cavity,
        bone=bone,
        diploe=intersection(np.abs(cavity - thickness / 2) - 0.2 * thickness, -30 - points.z, -base),
        outline=soft,
        fat=_fat(points, side, soft, cavity - thickness, orbits, texture),
        eyes=eyes,
        air=union(-soft, intersection(sinuses, -_septa(points, texture)), cells),
        headrest=_headrest(points),
    )


def _cavity(points: Points, side: Points) -> np.ndarray:
    """The cavity of cerebrum, temporal fossae, posterior fossa and spinal canal."""
    narrowing = 1 + 0.0017 * (20 - points.y)  # the head is widest behind its middle
    cerebrum = ellipsoid(Points(points.x * narrowing, points.y, points.z), (0, 2, 6), (69, 84, 68))
    orbital_roof = 9 * np.exp(-((side.x - 30) ** 2 + (points.y + 58) ** 2) / (2 * 18.0**2))
    cerebrum = carve(8.0, cerebrum, points.z + 27 - orbital_roof)
    temporal = ellipsoid(side, (41, -12, -20), (25, 37, 23))
    posterior = ellipsoid(points, (0, 42, -30), (54, 42, 30))
    canal = capsule(points, (0, 26, -50), (0, 32, -130), 12.0)
    return blend(7.0, cerebrum, temporal, posterior, canal)


def _base(points: Points, side: Points) -> np.ndarray:
    """The skull base: petrous ridges, clivus with the sella, lesser wings of the sphenoid."""
    petrous = capsule(side, (13, 4, -37), (60, 30, -35), 5.0, 9.0)
    clivus = capsule(points, (0, -8, -36), (0, 14, -62), 8.0, 6.0)
    dorsum = capsule(side, (0, 0, -28), (7, 0, -26), 2.0)
    wings = capsule(side, (12, -30, -25), (54, -42, -19), 2.5, 4.0)
    return union(petrous, clivus, dorsum, wings)


def _thickness(points: Points, side: Points, texture: np.ndarray) -> np.ndarray:
    """The thickness of the skull, mm: thick behind, thin at the temple and at the base."""
    thick = 6.5 + 1.5 * np.tanh((points.y - 10) / 40) + 0.5 * np.tanh(texture / 6)
    temple = 1 / (1 + np.exp((46 - side.x) / 5)) / (1 + np.exp((points.z - 18) / 8))
    base = 1 / (1 + np.exp((points.z + 26) / 5))
    return thick - 3.0 * np.maximum(temple, 0.9 * base)


def _sinuses(points: Points, side: Points) -> np.ndarray:
    frontal = ellipsoid(side, (10, -85, -15), (9, 3.5, 9))
    ethmoid = ellipsoid(points, (0, -56, -38), (11, 20, 13))
    sphenoid = ellipsoid(side, (5, -22, -38), (8, 10, 8))
    maxillary = ellipsoid(side, (29, -58, -72), (14, 18, 15))
    return union(frontal, ethmoid, sphenoid, maxillary, capsule(side, (5, -70, -64), (5, -20, -66), 5.0))


def _septa(points: Points, texture: np.ndarray) -> np.ndarray:
    """The thin walls between the cells of the ethmoid, and the septum of the nose."""
    cells = intersection(np.abs(texture) - 0.5, ellipsoid(points, (0, -56, -38), (11, 20, 13)))
    return union(cells, np.abs(points.x) - 0.7)


def _face_bones(points: Points, side: Points) -> np.ndarray:
    zygoma = union(
        capsule(side, (46, -66, -40), (50, -56, -56), 4.5), capsule(side, (50, -56, -56), (68, -4, -48), 2.8)
    )
    jaw = capsule(side, (54, 2, -52), (48, -4, -110), 4.0)
    palate = capsule(side, (0, -78, -86), (0, -30, -86), 5.0)
    brow = ellipsoid(side, (12, -84, -16), (20, 7, 13))
    return union(zygoma, jaw, palate, brow, capsule(points, (0, -92, -26), (0, -102, -46), 3.0))


def _soft_outline(points: Points, side: Points, skull_surface: np.ndarray) -> np.ndarray:
    face = ellipsoid(points, (0, -44, -62), (62, 52, 56))
    neck = capsule(points, (0, 22, -60), (0, 30, -140), 58.0)
    temple = ellipsoid(side, (58, -22, -10), (19, 40, 44))
    nose = capsule(points, (0, -98, -40), (0, -110, -64), 5.0, 10.0)
    ear = ellipsoid(side, (81, 22, -34), (3, 15, 26))
    return blend(9.0, skull_surface - _SCALP_MM, face, neck, temple, nose, ear)


def _fat(
    points: Points, side: Points, soft: np.ndarray, skull_surface: np.ndarray, orbits: np.ndarray, texture: np.ndarray
) -> np.ndarray:
    """The fat under the skin, behind the eyes, and between the muscles of face and neck; none in temporal muscles."""
    under_skin = intersection(soft + _SKIN_MM, _GALEA_MM - skull_surface)
    temporal = ellipsoid(side, (64, -20, -10), (9, 34, 40))
    muscle = union(temporal, intersection(soft + 8, points.z + 26, 0.6 - np.abs(texture)))
    nerve_and_muscles = capsule(side, (31, -62, -36), (12, -30, -31), 2.0)
    return union(intersection(under_skin, -muscle, side.x - 78), intersection(orbits, -nerve_and_muscles))


def _headrest(points: Points) -> np.ndarray:
    """A thin shell behind the head, like that of a carbon-fibre head holder."""
    return intersection(np.abs(np.hypot(points.x, points.y + 8) - 122) - 1.0, 55 - points.y)
