"""How does the demo CT look? Tissues painted with soft edges, grain and scanner noise."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from rtpacs.demo.anatomy import Array
from rtpacs.demo.common import Study, add_frame_of_reference, new_object, set_decimals, write
from rtpacs.demo.site import Scan, Site, Tissue

SIZE = 512
RESCALE_INTERCEPT_HU = -1024
NOISE_HU = 11.0
"""Standard deviation of the noise: that of an ordinary planning scan."""
_TILE = 256


def image_series(study: Study, scan: Scan) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of all slices, from feet to head."""
    return tuple(study.uid("CT", index) for index in range(scan.slices))


def write_slices(
    study: Study, site: Site, folder: Path, *, left_out: frozenset[int] = frozenset()
) -> Iterator[Path]:
    """Write the slices, except those left out, and yield the path of each."""
    uids = image_series(study, site.scan)
    grain, noise = _tile(11, 3.0), _tile(7, 0.8)
    ds = _template(study, site.scan)
    for index, z in enumerate(site.scan.z_mm):
        if index in left_out:
            continue
        hu = paint_slice(site, z, grain[index % len(grain)])
        # The tile of one slice is moved for the next round: no pattern is seen when scrolling.
        hu += NOISE_HU * np.roll(noise[index % len(noise)], 37 * (index // len(noise)), axis=1)
        _fill(ds, uids[index], index, hu)
        set_decimals(ds, "ImagePositionPatient", [*_corner(site.scan), z])
        set_decimals(ds, "SliceLocation", [z])
        yield write(ds, folder / f"CT_{index + 1:03d}.dcm")


def paint_slice(site: Site, z: float, grain: Array) -> Array:
    """Return the slice at height z in HU without noise, [512, 512] float32.

    Edges mix the two sides over one pixel, as the partial volume of a scanner does.
    """
    x, y = pixel_centres(site.scan)
    hu = np.full((SIZE, SIZE), -1000, np.float32)
    for tissue in site.tissues:
        box = tissue.shape.box_mm(z)
        if box is None:
            continue
        columns = _inside(x, box[0], box[1], site.scan.pixel_mm)
        rows = _inside(y, box[2], box[3], site.scan.pixel_mm)
        part = hu[rows, columns]
        if min(part.shape) > 1:
            _paint(part, tissue, x[columns], y[rows], z, grain[rows, columns])
    return hu


def pixel_centres(scan: Scan) -> tuple[Array, Array]:
    """Return x of the columns and y of the rows in mm."""
    x0, y0 = _corner(scan)
    steps = np.arange(SIZE, dtype=np.float32) * np.float32(scan.pixel_mm)
    return x0 + steps, y0 + steps


def _paint(part: Array, tissue: Tissue, x: Array, y: Array, z: float, grain: Array) -> None:
    """Mix the layers of the tissue into a view of the slice."""
    # The field is smooth: every second pixel and the means between them give the same picture.
    coarse = tissue.shape.field_mm(_every_second(x)[None, :], _every_second(y)[:, None], z)
    pixel_mm = x[1] - x[0]
    field = _between(_between(coarse / -pixel_mm, y.size).T, x.size).T
    for layer in tissue.layers:
        cover = np.clip(field + np.float32(0.5 - layer.depth_mm / pixel_mm), 0, 1)
        value = np.float32(layer.hu) + np.float32(layer.texture_hu) * grain
        part += cover * (value - part)


def _every_second(axis: Array) -> Array:
    """Return every second coordinate and one beyond the end."""
    steps = np.arange(axis.size // 2 + 1, dtype=np.float32)
    return np.asarray(axis[0] + steps * (2 * (axis[1] - axis[0])))


def _between(coarse: Array, size: int) -> Array:
    """Return rows with the means between them inserted, cut to the size."""
    fine = np.empty((2 * len(coarse) - 1, coarse.shape[1]), np.float32)
    fine[::2] = coarse
    fine[1::2] = (coarse[1:] + coarse[:-1]) * np.float32(0.5)
    return fine[:size]


def _inside(axis: Array, low: float, high: float, margin: float) -> slice:
    first, last = np.searchsorted(axis, [low - margin, high + margin])
    return slice(int(first), int(last))


def _corner(scan: Scan) -> tuple[float, float]:
    half = round(scan.pixel_mm * (SIZE - 1) / 2, 2)
    return -half, round(scan.centre_y_mm - half, 2)


@lru_cache(maxsize=2)
def _tile(seed: int, blur: float) -> Array:
    """Return 16 slices [16, 512, 512] of noise with unit variance, smoothed over `blur` pixels."""
    white = np.random.default_rng(seed).standard_normal((16, _TILE, _TILE), dtype=np.float32)
    k, kx, kz = np.fft.fftfreq(_TILE), np.fft.rfftfreq(_TILE), np.fft.fftfreq(16)
    r_squared = k[:, None] ** 2 + kx**2 + (kz[:, None, None] / 2) ** 2
    low_pass = np.exp(-2 * (np.pi * blur) ** 2 * r_squared).astype(np.float32)
    smooth = np.fft.irfftn(np.fft.rfftn(white) * low_pass, white.shape, axes=(0, 1, 2))
    return np.tile((smooth / smooth.std()).astype(np.float32), (1, 2, 2))


def _fill(ds: Dataset, sop_uid: str, index: int, hu: npt.NDArray[np.float32]) -> None:
    ds.SOPInstanceUID = sop_uid
    ds.InstanceNumber = index + 1
    stored = np.rint(np.clip(hu, -1024, 3071) - RESCALE_INTERCEPT_HU).astype("<i2")
    ds.PixelData = stored.tobytes()


def _template(study: Study, scan: Scan) -> Dataset:
    """Return what all slices share: CT image, plane and pixel modules."""
    ds = new_object(study, CTImageStorage, modality="CT", part="CT", date=study.ct_date)
    add_frame_of_reference(ds, study)
    ds.ImageType, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = study.ct_date, "083500", 1
    ds.ContentDate, ds.ContentTime = study.ct_date, "083500"
    ds.BodyPartExamined = study.body_part
    ds.KVP, ds.XRayTubeCurrent, ds.ConvolutionKernel = "120", 250, "STANDARD"
    ds.SliceThickness = f"{scan.spacing_mm:g}"
    ds.PixelSpacing = [f"{scan.pixel_mm:g}"] * 2
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = SIZE, SIZE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = RESCALE_INTERCEPT_HU, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    return ds
