"""What advanced users get: DICOMweb, and what of Orthanc's REST is not Orthanc's to answer.

Searches, lists and single resources come from the index; uploads are judged here before Orthanc
gets an object; everything that the door or the guard does not let pass is refused here, always
with the same words.
"""

from webui.dicomweb import core, own, qido, stow

BLUEPRINTS = (qido.BLUEPRINT, stow.BLUEPRINT, core.BLUEPRINT, own.BLUEPRINT)
