"""Numbers, dates, names and states as people read them: the filters of all templates."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup
from pydicom.uid import UID

from rtpacs.rules.plan_sets import LinkStatus, PlanSetState, TreatmentStatus
from rtpacs.rules.transfers import SendState
from rtpacs.services.remote import Criteria, FetchState

UID_SHOWN = 22
GIGABYTE = 1e9
# For structures without a display colour: told apart by the colour-blind too (Okabe and Ito 2008,
# Tol's muted scheme), readable on light and dark.
OWN_COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#999933",
    "#882255",
    "#44aa99",
    "#aa4499",
    "#b8a800",
    "#6699cc",
)
DATA_WORDS = {
    "RTPLAN": "plan",
    "RTSTRUCT": "structures",
    "RTDOSE": "dose",
    "RTRECORD": "records",
    "RTIMAGE": "RT images",
    "REG": "registration",
    "SEG": "segmentation",
}
STATE_TONES = {
    PlanSetState.COMPLETE: "ok",
    PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION: "ok",
    PlanSetState.INCOMPLETE: "bad",
    PlanSetState.AMBIGUOUS: "warn",
    TreatmentStatus.DELIVERED: "ok",
    TreatmentStatus.PARTLY_DELIVERED: "run",
    TreatmentStatus.UNKNOWN: "idle",
    TreatmentStatus.NOT_FOR_TREATMENT: "warn",
    LinkStatus.RESOLVED: "ok",
    LinkStatus.MATCHED_BY_GEOMETRY: "warn",
    LinkStatus.MISSING: "bad",
    LinkStatus.OTHER_PATIENT: "bad",
    LinkStatus.LINKED: "ok",
    LinkStatus.UNLINKED: "idle",
    LinkStatus.ACCEPTED: "warn",
    "calculated": "ok",
    "waiting": "idle",
    "running": "run",
    "failed": "bad",
    "ready": "idle",
    "retrying": "warn",
    "done": "ok",
    "cancelled": "idle",
    SendState.PENDING: "idle",
    SendState.SENDING: "run",
    SendState.SENT: "ok",
    SendState.WARNING: "warn",
    SendState.REFUSED: "bad",
    SendState.FAILED: "bad",
    FetchState.WANTED: "idle",
    FetchState.FETCHING: "run",
    FetchState.FETCHED: "ok",
    FetchState.PARTLY: "warn",
    FetchState.FAILED: "bad",
    "error": "bad",
    "warning": "warn",
    "info": "idle",
    "APPROVED": "ok",
    "UNAPPROVED": "idle",
    "REJECTED": "bad",
}


def tone(state: str) -> str:
    """The colour and icon family of a state: ok, warn, bad, run or idle."""
    return STATE_TONES.get(state, "idle")


def number(value: float | None, digits: int = 1) -> str:
    """A number with fixed digits and thin spaces between thousands; "–" when there is none."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")


def dose(value: float | None) -> str:
    """A dose in Gy (or percent) with two digits."""
    return number(value, 2)


def volume(value: float | None) -> str:
    """A volume in cm³ with three significant digits below 100 cm³."""
    if value is None:
        return "–"
    return number(value, 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0)


def angle(value: float | None) -> str:
    """An angle in degrees."""
    return "–" if value is None else f"{number(value, 1)}°"


def size(value: float | None) -> str:
    """A number of bytes in MB, GB or TB."""
    if value is None:
        return "–"
    if value < 1e6:
        return f"{number(value / 1e3, 0)} kB"
    if value < GIGABYTE:
        return f"{number(value / 1e6, 0)} MB"
    giga = value / GIGABYTE
    return f"{number(giga / 1000, 2)} TB" if giga >= 1000 else f"{number(giga, 1)} GB"


def duration(seconds: float) -> str:
    """A duration in seconds, from two minutes on in minutes, from two hours on in hours."""
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 120:
        return f"{number(seconds, 1)} s"
    return f"{number(seconds / 60, 0)} min" if seconds < 7200 else f"{number(seconds / 3600, 1)} h"


def rough(seconds: float) -> str:
    """About how long, in one unit: "less than a minute", "7 minutes", "3 hours", "12 days"."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return plural(int(seconds // length), unit)
    return "less than a minute"


def person(name: str) -> str:
    """A DICOM person name as "Family, Given"; the alphabetic group only."""
    parts = [part.strip() for part in name.split("=")[0].split("^")]
    given = " ".join(part for part in parts[1:3] if part)
    return f"{parts[0]}, {given}" if given else parts[0] or "(no name)"


def words(value: object) -> str:
    """A DICOM code such as NOT_APPROVED in lower case words; "–" when there is none."""
    return "–" if value is None or value == "" else str(value).replace("_", " ").lower()


def sentence(text: str) -> str:
    """A text with its first letter in upper case and the rest as it stands."""
    return text[:1].upper() + text[1:]


def roi_type(value: str | None) -> str:
    """An RT ROI Interpreted Type: abbreviations such as PTV stay in capitals."""
    return value if value and len(value) <= 3 else words(value)


def unit_name(value: str | None) -> str:
    """Dose Units (3004,0002) in words."""
    return "Gy" if value == "GY" else words(value)


def moment(text: str | None) -> str:
    """An ISO date, with its time to the minute where it has one, as DICOM local time is sent."""
    return "–" if not text else text[:16].replace("T", " ")


def middle(uid: str) -> str:
    """A UID shortened in the middle."""
    return uid if len(uid) <= UID_SHOWN else f"{uid[:9]}…{uid[-11:]}"


def uid_tag(uid: str) -> Markup:
    """A shortened UID that shows itself whole on hover and is copied on click."""
    return Markup('<button type="button" class="uid" data-copy="{}" title="{}">{}</button>').format(
        uid, f"{uid} – click to copy", middle(uid)
    )


def time_tag(moment: datetime | None) -> Markup:
    """A moment as ``<time>``: UTC as sent, which the browser turns into local time."""
    if moment is None:
        return Markup("–")
    iso = moment.isoformat(timespec="seconds")
    shown = f"{moment:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, shown, shown)


def color_hex(rgb: tuple[int, int, int] | None, number: int) -> str:
    """A display colour as ``#rrggbb``; by ROI number where the structure set gives none."""
    if rgb is None:
        return OWN_COLORS[number % len(OWN_COLORS)]
    red, green, blue = (min(max(part, 0), 255) for part in rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


def chip(rgb: tuple[int, int, int] | None, number: int) -> Markup:
    """A small square in the colour of a structure, drawn without inline style."""
    return Markup(
        '<svg class="chip" viewBox="0 0 10 10" aria-hidden="true">'
        '<rect width="10" height="10" rx="2" fill="{}"/></svg>'
    ).format(color_hex(rgb, number))


def data_words(modalities: Sequence[str]) -> str:
    """What there is of a patient, RT objects by the clinic's names, images by their modality."""
    return ", ".join(DATA_WORDS.get(modality, modality) for modality in modalities)


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{number(count, 0)} {one if count == 1 else many or one + 's'}"


def sop_class(uid: str) -> str:
    """A storage SOP class by its name in the Standard, without "Storage"."""
    return UID(uid).name.removesuffix(" Storage")


def criteria_words(asked: Criteria) -> str:
    """What a node was asked for."""
    numbers = plural(len(asked.numbers), "patient number") if len(asked.numbers) > 3 else ""
    dates = f"{asked.date_from or '…'} to {asked.date_to or '…'}"
    parts = (
        numbers or ", ".join(asked.numbers),
        f"name {asked.name}" if asked.name else "",
        dates if asked.date_from or asked.date_to else "",
        asked.modality,
    )
    return " · ".join(part for part in parts if part)


FILTERS = {
    "criteria": criteria_words,
    "sop_class": sop_class,
    "tone": tone,
    "number": number,
    "dose": dose,
    "volume": volume,
    "angle": angle,
    "size": size,
    "duration": duration,
    "rough": rough,
    "person": person,
    "data": data_words,
    "words": words,
    "sentence": sentence,
    "moment": moment,
    "roi_type": roi_type,
    "unit_name": unit_name,
    "middle": middle,
    "uid": uid_tag,
    "time": time_tag,
    "chip": chip,
    "plural": plural,
}
