"""Matches of a search in the DICOM JSON model (PS3.18 annex F) and as Orthanc's REST has them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rtpacs.rules.objects import OrthancId
from rtpacs.rules.queries import ATTRIBUTES, LEVELS, Attribute, Match, Value, covers
from rtpacs.rules.routes import DICOMWEB_PREFIX, Level

Json = dict[str, Any]
UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
# What a search returns without being asked (PS3.18 tables 10.6.3-3 to 10.6.3-5), as far as kept.
LEFT_OUT = frozenset({"Manufacturer", "InstitutionName", "ManufacturerModelName"})
LEFT_OUT |= frozenset({"FrameOfReferenceUID", "SeriesDate", "NumberOfPatientRelatedStudies"})
ORTHANC_TAGS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: ("PatientBirthDate", "PatientID", "PatientName", "PatientSex"),
    Level.STUDY: (
        "AccessionNumber",
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyInstanceUID",
    ),
    Level.SERIES: (
        "Manufacturer",
        "Modality",
        "SeriesDate",
        "SeriesDescription",
        "SeriesInstanceUID",
        "SeriesNumber",
    ),
    Level.INSTANCE: ("InstanceNumber", "SOPInstanceUID"),
}
TYPES = {
    Level.PATIENT: "Patient",
    Level.STUDY: "Study",
    Level.SERIES: "Series",
    Level.INSTANCE: "Instance",
}
CHILDREN = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}
PARENTS = {
    Level.STUDY: ("ParentPatient", Level.PATIENT),
    Level.SERIES: ("ParentStudy", Level.STUDY),
    Level.INSTANCE: ("ParentSeries", Level.SERIES),
}


def dicom_json(match: Match, included: Collection[str], base_url: str) -> Json:
    """One match with the attributes that its level returns, and those asked for."""
    found: Json = {"00080005": UTF_8}
    for attribute in ATTRIBUTES:
        wanted = attribute.keyword not in LEFT_OUT or {"all", attribute.keyword} & set(included)
        if wanted and covers(match.level, attribute) and attribute.keyword in match.values:
            found[attribute.tag] = element(attribute, match.values[attribute.keyword])
    found["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    found["00081190"] = {"vr": "UR", "Value": [base_url + _path(match)]}
    return dict(sorted(found.items()))


def element(attribute: Attribute, value: Value) -> Json:
    """One attribute; without a value where the object has none."""
    values: Sequence[object]
    if value is None or value == "":
        return {"vr": attribute.vr}
    if attribute.vr == "PN":
        groups = zip(NAME_GROUPS, str(value).split("="), strict=False)
        values = [{name: text for name, text in groups if text}]
    elif attribute.vr == "DA":
        values = [dicom_date(str(value))]
    else:
        values = list(value) if isinstance(value, tuple) else [value]
    return {"vr": attribute.vr, "Value": values}


def dicom_date(value: str) -> str:
    """``2026-03-12`` as DICOM writes it."""
    return value.replace("-", "")


def _path(match: Match) -> str:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    words = ("studies", "series", "instances")
    depth = LEVELS.index(match.level)
    pairs = list(zip(words, names, strict=True))[:depth]
    return DICOMWEB_PREFIX + "".join(f"/{word}/{match.values[name]}" for word, name in pairs)


def orthanc_resource(
    match: Match, ids: Mapping[Level, OrthancId], children: Sequence[OrthancId]
) -> Json:
    """One resource as ``GET /studies/{id}`` of Orthanc has it, with these children."""
    level = match.level
    resource: Json = {
        "ID": ids[level],
        "IsStable": True,
        "Labels": [],
        "MainDicomTags": main_tags(match, level),
        "Type": TYPES[level],
    }
    if level in CHILDREN:
        resource[CHILDREN[level]] = list(children)
    if level in PARENTS:
        name, parent = PARENTS[level]
        resource[name] = ids[parent]
    if level is Level.STUDY:
        resource["PatientMainDicomTags"] = main_tags(match, Level.PATIENT)
    return dict(sorted(resource.items()))


def main_tags(match: Match, level: Level) -> dict[str, str]:
    """Attributes of a level as Orthanc names and writes them; those without a value left out."""
    tags = {}
    for name in ORTHANC_TAGS[level]:
        value = match.values[name]
        if value not in (None, ""):
            text = str(value)
            tags[name] = dicom_date(text) if name.endswith("Date") else text
    return tags
