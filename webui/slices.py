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

FloatArray = npt.NDArray[np.float64]
CT_WINDOW = (40.0, 400.0)
LEVEL_PERCENTS = (30, 50, 80, 95, 100, 107)
PARTS_OF_MAXIMUM = (0.3, 0.5, 0.7, 0.9)
# The palette of the viewer (static/js/viewer/palette.js), its warm end for the highest levels.
LEVEL_COLORS = ("#3f8fdd", "#56b4e9", "#00b386", "#f0e442", "#f2a512", "#ee6a1f", "#e87bb8")
SLICES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One isodose with the colour of its line."""

    gy: float
    color: str


class PackSlices:
    """Reads axial slices of a pack; ``read`` gives its files by name."""

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

    def svg(self, z_mm: float, levels: Sequence[Level], colors: dict[int, str]) -> Markup:
        """Draw one axial slice in patient millimetres, with the structures that have colours."""
        low, high = self._box(colors)
        width, height = high[0] - low[0], high[1] - low[1]
        image, (x, y, w, h) = self._image(z_mm), self._image_box()
        parts = [
            Markup(
                '<svg xmlns="http://www.w3.org/2000/svg" class="slice" viewBox="{} {} {} {}" '
                'role="img" aria-label="{}"><rect x="{}" y="{}" width="{}" height="{}"/>'
            ).format(
                *(_short(v) for v in (low[0], low[1], width, height)),
                f"Axial slice at z {z_mm:.1f} mm",
                *(_short(v) for v in (low[0], low[1], width, height)),
            )
        ]
        if image is not None:
            parts.append(
                Markup(
                    '<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" '
                    'href="data:image/png;base64,{}"/>'
                ).format(*(_short(v) for v in (x, y, w, h)), base64.b64encode(image).decode())
            )
        parts += [
            _path(path, level.color, "0.8", "3 1.6") for level, path in self._isodoses(z_mm, levels)
        ]
        parts += [
            _path(path, colors[number], "1", "")
            for number, path in self._rings(z_mm)
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

    def _image_box(self) -> tuple[float, float, float, float]:
        image = self.meta["image"]
        if image is None:
            return 0.0, 0.0, 0.0, 0.0
        x, y = np.array(image["x_mm"]), np.array(image["y_mm"])
        dx, dy = _step(x), _step(y)
        return x[0] - dx / 2, y[0] - dy / 2, x[-1] - x[0] + dx, y[-1] - y[0] + dy

    def _image(self, z_mm: float) -> bytes | None:
        """The nearest slice as PNG; None where none is within half a step."""
        image = self.meta["image"]
        if image is None:
            return None
        z = np.array(image["z_mm"])
        index = int(np.abs(z - z_mm).argmin())
        if abs(z[index] - z_mm) > _step(z) / 2 + 1e-3:
            return None
        low, high, name = next(part for part in image["chunks"] if part[0] <= index < part[1])
        shape = (high - low, len(image["y_mm"]), len(image["x_mm"]))
        stored = self._values(name, image["kind"]).reshape(shape)[index - low]
        values = stored.astype(np.float64) * image["slope"] + image["intercept"]
        return png(_grey(values, image))

    def _values(self, name: str, kind: str) -> npt.NDArray[Any]:
        dtype = np.dtype(kind).newbyteorder("<")
        return np.frombuffer(gzip.decompress(self._read(name)), dtype=dtype)

    def _isodoses(
        self, z_mm: float, levels: Sequence[Level]
    ) -> list[tuple[Level, list[FloatArray]]]:
        dose = self._dose()
        if dose is None:
            return []
        x, y, z = (np.array(dose[axis]) for axis in _AXES)
        if not z[0] - 1e-6 <= z_mm <= z[-1] + 1e-6:
            return []
        values = self._values(dose["file"], "float32").reshape(z.size, y.size, x.size)
        place = float(np.interp(z_mm, z, np.arange(z.size)))
        below = min(int(place), max(z.size - 2, 0))
        plane = values[below].astype(np.float64)
        if z.size > 1 and place > below:
            plane += (values[below + 1] - plane) * (place - below)
        if min(plane.shape) < 2:
            return []
        return [(level, _lines(plane, level.gy, x, y)) for level in levels]

    def _rings(self, z_mm: float) -> list[tuple[int, list[FloatArray]]]:
        points = self._values("contours", "float32").reshape(-1, 3)
        image = self.meta["image"]
        reach = _step(np.array(image["z_mm"])) / 2 if image else 1.5
        found = []
        for roi in self.meta["rois"]:
            near = [
                plane
                for plane in (roi["planes"] if roi["axis"] == 2 else ())
                if abs(plane["at_mm"] - z_mm) <= reach + 1e-3
            ]
            if near:
                plane = min(near, key=lambda one: abs(one["at_mm"] - z_mm))
                rings = [points[a : a + n, :2].astype(float) for a, n in plane["rings"]]
                found.append((roi["number"], [np.vstack([ring, ring[:1]]) for ring in rings]))
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
    return Markup('<path d="{}" fill="none" stroke="{}" stroke-width="{}"{}/>').format(
        text, color, width, dashed
    )


def _short(value: float) -> str:
    return f"{value:.2f}"
