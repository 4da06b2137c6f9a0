"""Our values from DICOM bytes: what an object is, which structures and which dose it holds."""

from rtpacs.dicom.dose import read_dose
from rtpacs.dicom.structures import read_rois
from rtpacs.dicom.summary import summarise

__all__ = ["read_dose", "read_rois", "summarise"]
