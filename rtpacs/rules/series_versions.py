"""One choice of contents for all images of a series that came with several."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rtpacs.rules.conflicts import HeldVersion
from rtpacs.rules.remarks import counted

NAMED_PATHS = 4


class Choice(StrEnum):
    """Which content of each image is to count."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The images of a series of which nobody said which content counts, by SOP Instance UID.

    ``decided`` names the decision that stood on an image before another content came.
    """

    contents: Mapping[str, Sequence[HeldVersion]]
    decided: Mapping[str, str]

    def chosen(self, choice: Choice) -> dict[str, HeldVersion]:
        """The content of each image that a choice lets count."""
        place = 0 if choice is Choice.FIRST else -1
        return {uid: _by_time(held)[place] for uid, held in self.contents.items()}

    @property
    def state(self) -> str:
        """A name of all this: whoever decides has seen the same contents and decisions."""
        held = {
            uid: sorted(item.digest for item in versions) for uid, versions in self.contents.items()
        }
        text = json.dumps([held, dict(self.decided)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _by_time(versions: Iterable[HeldVersion]) -> list[HeldVersion]:
    return sorted(versions, key=lambda item: (item.first_at, item.digest))


def label(choice: Choice, chosen: Iterable[HeldVersion]) -> str:
    """What a choice takes: how many images, of whom, and when they came."""
    held = _by_time(chosen)
    senders = ", ".join(sorted({item.sender for item in held}))
    first, last = (f"{held[place].first_at:%Y-%m-%d %H:%M}" for place in (0, -1))
    when = first if first == last else f"{first} to {last}"
    return f"What came {choice}: {counted(len(held), 'image')} from {senders}, {when} UTC"


def note(chosen: Iterable[HeldVersion]) -> str:
    """What differs in these contents from those that came first."""
    paths = Counter(difference.path for item in chosen for difference in item.differences)
    named = [path for path, _ in paths.most_common(NAMED_PATHS)]
    more = f" and {len(paths) - NAMED_PATHS} more" if len(paths) > NAMED_PATHS else ""
    return f"differs in {', '.join(named)}{more}" if named else ""
