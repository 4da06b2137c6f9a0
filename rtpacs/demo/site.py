"""What does a demo patient consist of? Tissues to image, structures to contour, targets."""

from dataclasses import dataclass
from typing import NamedTuple

from rtpacs.demo.anatomy import Shape, Star


class Layer(NamedTuple):
    """What lies deeper than `depth_mm` below a surface; `texture_hu` scales its smooth grain."""

    depth_mm: float
    hu: float
    texture_hu: float = 0.0


@dataclass(frozen=True, slots=True)
class Tissue:
    """A region and its layers from the surface inwards."""

    shape: Shape
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A region of interest with its TG-263 name and RT ROI Interpreted Type."""

    name: str
    kind: str
    shape: Shape
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A planning target: its structure, the dose prescribed to it and its convex parts."""

    name: str
    dose_gy: float
    parts: tuple[Star, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Geometry of the CT: z of the first (lowest) slice, spacings in mm, image centre."""

    first_z_mm: float
    spacing_mm: float
    slices: int
    pixel_mm: float
    centre_y_mm: float

    @property
    def z_mm(self) -> tuple[float, ...]:
        """Heights of all slices, from feet to head."""
        return tuple(self.first_z_mm + i * self.spacing_mm for i in range(self.slices))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One synthetic patient as geometry: `tissues` are painted in order, later over earlier.

    `outline` is the body without small parts, for depths; `spared` are (structure name, part
    of the dose around the targets that is taken away there).
    """

    scan: Scan
    outline: Star
    tissues: tuple[Tissue, ...]
    structures: tuple[Structure, ...]
    targets: tuple[Target, ...]
    spared: tuple[tuple[str, float], ...]
    isocentre_mm: tuple[float, float, float]

    def shape(self, name: str) -> Shape:
        """Return the shape of the structure of that name; KeyError if there is none."""
        return {structure.name: structure.shape for structure in self.structures}[name]

    def number(self, name: str) -> int:
        """Return the ROI number of the structure of that name."""
        return [structure.name for structure in self.structures].index(name) + 1


def tissue(shape: Shape, hu: float, texture_hu: float = 0.0) -> Tissue:
    """Return a region of one Hounsfield number."""
    return Tissue(shape, (Layer(0.0, hu, texture_hu),))


def bone(shape: Shape, cortex_mm: float = 2.0) -> Tissue:
    """Return spongy bone under a cortex of the given thickness."""
    return Tissue(shape, (Layer(0.0, 720, 60), Layer(cortex_mm, 210, 70)))
