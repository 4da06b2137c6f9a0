"""DVHs by dicompyler-core; runs in its environment, so it imports nothing of ours.

``python peer_dicompyler.py FOLDER default|extents`` prints volume (cm³) and mean dose (Gy) as JSON.
"""

import json
import sys
from pathlib import Path

import pydicom
from dicompylercore import dicomparser, dvhcalc  # type: ignore[import-not-found]  # not in ours

folder, setting = Path(sys.argv[1]), sys.argv[2]
structures = pydicom.dcmread(folder / "structures.dcm")
dose = pydicom.dcmread(folder / "dose.dcm")
found = {}
for number, structure in dicomparser.DicomParser(structures).GetStructures().items():
    dvh = dvhcalc.get_dvh(structures, dose, number, use_structure_extents=setting == "extents")
    found[structure["name"]] = [dvh.volume, dvh.mean]
sys.stdout.write(json.dumps(found))
