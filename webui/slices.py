"""Key slices drawn on the server as SVG, for print and browsers without scripts."""

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from skimage.measure import find_contours

from webui.cuts import cuts, outline

FloatArray = npt.NDArray[np.float64]
CT_WINDOW = (40.0, 400.0)
LEVEL_PERCENTS = (30, 50, 80, 95, 100, 107)
PARTS_OF_MAXIMUM = (0.3, 0.5, 0.7, 0.9)
# The palette of the viewer (static/js/viewer/palette.js), its warm end for the highest levels.
LEVEL_COLORS = ("#3f8fdd", "#56b4e9", "#00b386", "#f0e442", "#f2a512", "#ee6a1f", "#e87bb8")
SLICES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A plane of the body: axes x, y, z as 0, 1, 2; ``sign`` -1: the third axis points up."""

    name: str
    n: int
    u: int
    v: int
    sign: int

    @property
    def normal(self) -> str:
        """The axis along which its slices lie."""
        return "xyz"[self.n]

    def drawn(self, lines: Sequence[FloatArray]) -> list[FloatArray]:
        """Lines in millimetres as SVG has them, with y downwards."""
        return [line * np.array([1.0, self.sign]) for line in lines]


AXIAL = View(name="Axial", n=2, u=0, v=1, sign=1)
SAGITTAL = View(name="Sagittal", n=0, u=1, v=2, sign=-1)
CORONAL = View(name="Coronal", n=1, u=0, v=2, sign=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One isodose with the colour of its line."""

    gy: float
    color: str


class PackSlices:
    """Reads slices of a pack; ``read`` gives its files by name."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self.meta: dict[str, Any] = json.loads(read("meta.json"))

    def levels(self, prescribed_gy: float | None) -> list[Level]:
        """Isodoses in percent of the prescription, or parts of the highest dose."""
        dose = self._dose()
        if dose is None:
            return []
        relative = dose["units"] == "RELATIVE" or prescribed_gy is None
        found = (
            [part * dose["max"] for part in PARTS_OF_MAXIMUM]
            if relative
            else [percent / 100 * (prescribed_gy or 0.0) for percent in LEVEL_PERCENTS]
        )
        colors = LEVEL_COLORS[-len(found) :]
        return [Level(gy=gy, color=color) for gy, color in zip(found, colors, strict=True)]

    def key_positions_mm(self) -> list[float]:
        """Slices evenly through what is looked at first, and that of the highest dose."""
        start = float(self.meta["start_mm"][2])
        at_start = [
            [plane["at_mm"] for plane in roi["planes"]]
            for roi in self.meta["rois"]
            if roi["axis"] == 2 and (roi.get("center_mm") or [None] * 3)[2] == start
        ]
        planes = at_start[0] if at_start else [start]
        even = np.linspace(0, len(planes) - 1, min(SLICES_SHOWN, len(planes)))
        found = [planes[round(float(place))] for place in even]
        dose = self._dose()
        return sorted({round(z, 2) for z in [*found, *([dose["max_at_mm"][2]] if dose else [])]})

    def through_start(self) -> list[tuple[View, float]]:
        """The sagittal and the coronal slice through the point that the viewer opens at."""
        start = self.meta["start_mm"]
        return [(view, float(start[view.n])) for view in (SAGITTAL, CORONAL)]

    def svg(
        self,
        at_mm: float,
        levels: Sequence[Level],
        colors: dict[int, str],
        view: View = AXIAL,
    ) -> Markup:
        """Draw one slice in patient millimetres, with the structures that have colours."""
        left, top, width, height = self._frame(view, colors)
        rect = [_short(value) for value in (left, top, width, height)]
        parts = [
            Markup(
                '<svg xmlns="http://www.w3.org/2000/svg" class="slice" viewBox="{} {} {} {}" '
                'role="img" aria-label="{}"><rect x="{}" y="{}" width="{}" height="{}" '
                'fill="#000"/>'
            ).format(*rect, f"{view.name} slice at {view.normal} {at_mm:.1f} mm", *rect)
        ]
        picture = self._image(view, at_mm)
        if picture is not None:
            parts.append(
                Markup(
                    '<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" '
                    'href="data:image/png;base64,{}"/>'
                ).format(
                    *(_short(value) for value in self._image_box(view)),
                    base64.b64encode(picture).decode(),
                )
            )
        parts += [
            _path(view.drawn(path), level.color, "1.2", "6 3")
            for level, path in self._isodoses(view, at_mm, levels)
        ]
        parts += [
            _path(view.drawn(path), colors[number], "1.6", "")
            for number, path in self._outlines(view, at_mm)
            if number in colors
        ]
        return Markup("").join([*parts, Markup("</svg>")])

    def _dose(self) -> dict[str, Any] | None:
        return next((dose for dose in self.meta["doses"] if "file" in dose), None)

    def _box(self, drawn: Collection[int]) -> tuple[list[float], list[float]]:
        rois = [roi for roi in self.meta["rois"] if roi["number"] in drawn]
        boxes = [roi["box_mm"] for roi in rois if roi.get("box_mm")]
        for one in (self.meta["image"], self._dose()):
            if one is not None and not boxes:
                boxes.append([[one[a][0] for a in _AXES], [one[a][-1] for a in _AXES]])
        corners = np.array(boxes or [[[-50.0] * 3, [50.0] * 3]])
        margin = 8.0
        return (corners[:, 0].min(axis=0) - margin).tolist(), (
            corners[:, 1].max(axis=0) + margin
        ).tolist()

    def _frame(self, view: View, drawn: Collection[int]) -> tuple[float, float, float, float]:
        """Left, top, width and height of what is shown."""
        low, high = self._box(drawn)
        u, v = view.u, view.v
        top = low[v] if view.sign > 0 else -high[v]
        return low[u], top, high[u] - low[u], high[v] - low[v]

    def _image_box(self, view: View) -> tuple[float, float, float, float]:
        image = self.meta["image"]
        across, down = (np.array(image[_AXES[axis]]) for axis in (view.u, view.v))
        du, dv = _step(across), _step(down)
        top = down[0] - dv / 2 if view.sign > 0 else -(down[-1] + dv / 2)
        return across[0] - du / 2, top, across[-1] - across[0] + du, down[-1] - down[0] + dv

    def _image(self, view: View, at_mm: float) -> bytes | None:
        """The nearest slice as PNG; None where none is within half a step."""
        image = self.meta["image"]
        if image is None:
            return None
        positions = np.array(image[_AXES[view.n]])
        index = int(np.abs(positions - at_mm).argmin())
        if abs(positions[index] - at_mm) > _step(positions) / 2 + 1e-3:
            return None
        stored = self._axial(image, index) if view.n == 2 else self._across(image, view, index)
        values = stored * image["slope"] + image["intercept"]
        grey = _grey(values, image)
        return png(grey if view.sign > 0 else grey[::-1])

    def _axial(self, image: dict[str, Any], index: int) -> FloatArray:
        low, high, name = next(part for part in image["chunks"] if part[0] <= index < part[1])
        plane: FloatArray = self._chunk(image, low, high, name)[index - low].astype(np.float64)
        return plane

    def _across(self, image: dict[str, Any], view: View, index: int) -> FloatArray:
        """One column of all slices, on an even grid along z: where a slice lacks, nothing."""
        columns = [
            np.take(self._chunk(image, *part), index, axis=2 - view.n) for part in image["chunks"]
        ]
        stack: FloatArray = np.concatenate(columns).astype(np.float64)
        z = np.array(image["z_mm"])
        step = _step(z)
        even = np.linspace(z[0], z[-1], round((z[-1] - z[0]) / step) + 1)
        nearest = np.abs(z[None, :] - even[:, None]).argmin(axis=1)
        stack = stack[nearest]
        stack[np.abs(z[nearest] - even) > step / 2 + 1e-3] = np.nan
        return stack

    def _chunk(self, image: dict[str, Any], low: int, high: int, name: str) -> npt.NDArray[Any]:
        shape = (high - low, len(image["y_mm"]), len(image["x_mm"]))
        return self._values(name, image["kind"]).reshape(shape)

    def _values(self, name: str, kind: str) -> npt.NDArray[Any]:
        dtype = np.dtype(kind).newbyteorder("<")
        return np.frombuffer(gzip.decompress(self._read(name)), dtype=dtype)

    def _isodoses(
        self, view: View, at_mm: float, levels: Sequence[Level]
    ) -> list[tuple[Level, list[FloatArray]]]:
        dose = self._dose()
        if dose is None:
            return []
        grid = [np.array(dose[axis]) for axis in _AXES]
        along = grid[view.n]
        if not along[0] - 1e-6 <= at_mm <= along[-1] + 1e-6:
            return []
        values = self._values(dose["file"], "float32").reshape([axis.size for axis in grid[::-1]])
        place = float(np.interp(at_mm, along, np.arange(along.size)))
        below = min(int(place), max(along.size - 2, 0))
        plane = np.take(values, below, axis=2 - view.n).astype(np.float64)
        if along.size > 1 and place > below:
            above = np.take(values, below + 1, axis=2 - view.n)
            plane += (above - plane) * (place - below)
        if min(plane.shape) < 2:
            return []
        return [(level, _lines(plane, level.gy, grid[view.u], grid[view.v])) for level in levels]

    def _outlines(self, view: View, at_mm: float) -> list[tuple[int, list[FloatArray]]]:
        """Rings as they were sent where a structure was drawn in this plane, else its cut."""
        points = self._values("contours", "float32").reshape(-1, 3).astype(np.float64)
        found = []
        for roi in self.meta["rois"]:
            if not roi["planes"]:
                continue
            lines = (
                self._rings(roi, points, view, at_mm)
                if roi["axis"] == view.n
                else _cut(roi, points, view, at_mm)
            )
            if lines:
                found.append((roi["number"], lines))
        return found

    def _rings(
        self, roi: dict[str, Any], points: FloatArray, view: View, at_mm: float
    ) -> list[FloatArray]:
        image = self.meta["image"]
        reach = _step(np.array(image[_AXES[view.n]])) / 2 if image else 1.5
        plane = min(roi["planes"], key=lambda one: abs(one["at_mm"] - at_mm))
        if abs(plane["at_mm"] - at_mm) > reach + 1e-3:
            return []
        rings = [points[a : a + n][:, [view.u, view.v]] for a, n in plane["rings"]]
        return [np.vstack([ring, ring[:1]]) for ring in rings]


def _cut(roi: dict[str, Any], points: FloatArray, view: View, at_mm: float) -> list[FloatArray]:
    found = []
    for t0, r0, t1, r1 in outline(cuts(roi, points, axis=view.n, at_mm=at_mm)):
        segment = np.array([[t0, r0], [t1, r1]])
        # r runs along the structure's axis, t along the third one.
        found.append(segment if roi["axis"] == view.v else segment[:, ::-1])
    return found


_AXES = ("x_mm", "y_mm", "z_mm")


def _step(positions: FloatArray) -> float:
    return float(np.median(np.diff(positions))) if positions.size > 1 else 3.0


def _lines(plane: FloatArray, gy: float, x: FloatArray, y: FloatArray) -> list[FloatArray]:
    """Isodose lines in millimetres: linear between voxel centres."""
    columns, rows = np.arange(x.size), np.arange(y.size)
    return [
        np.stack([np.interp(line[:, 1], columns, x), np.interp(line[:, 0], rows, y)], axis=1)
        for line in find_contours(plane, gy)  # type: ignore[no-untyped-call]
    ]


def _grey(values: FloatArray, image: dict[str, Any]) -> npt.NDArray[np.uint8]:
    is_ct = image["modality"] == "CT" and image["units"] == "HU"
    if is_ct:
        center, width = CT_WINDOW
        low, high = center - width / 2, center + width / 2
    else:
        low, high = (float(value) for value in np.nanpercentile(values, [2, 99.5]))
    scaled = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    grey = np.asarray(scaled * 255, dtype=np.uint8)
    return 255 - grey if image["inverted"] else grey


def png(grey: npt.NDArray[np.uint8]) -> bytes:
    """Write an 8-bit greyscale picture (ISO 15948)."""
    height, width = grey.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), grey], axis=1).tobytes()

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(rows, 6)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def _path(lines: Sequence[FloatArray], color: str, width: str, dash: str) -> Markup:
    text = "".join("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in line) for line in lines)
    dashed = Markup(' stroke-dasharray="{}"').format(dash) if dash else Markup("")
    return Markup(
        '<path d="{}" fill="none" stroke="{}" stroke-width="{}"{} '
        'vector-effect="non-scaling-stroke"/>'
    ).format(text, color, width, dashed)


def _short(value: float) -> str:
    return f"{value:.2f}"
