"""The answers to questions on versions: every content of an object that a center sent."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from rtpacs.rules.conflicts import HeldVersion
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.plan_sets import Answer, Question, QuestionKind
from rtpacs.store.conflicts import holdings_of
from rtpacs.store.engine import chunks
from rtpacs.store.schema import dicom_object

Asked = tuple[str, Question]  # center code, question
NAMED = 4


def with_versions(connection: sa.Connection, asked: Mapping[int, Asked]) -> dict[int, Question]:
    """Questions by key, those on versions with their answers."""
    single = {key: body for key, (_, body) in asked.items() if _is_on_one(body)}
    uids = {body.subject for body in single.values()}
    answers = _answers(connection, uids) if uids else {}
    return {
        key: replace(body, answers=tuple(answers.get((code, body.subject), ())))
        if key in single
        else body
        for key, (code, body) in asked.items()
    }


def _is_on_one(body: Question) -> bool:
    return body.kind is QuestionKind.VERSION and body.image is None


def _answers(
    connection: sa.Connection, sop_uids: Collection[str]
) -> dict[tuple[str, str], list[Answer]]:
    found: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for part in chunks(sorted(sop_uids)):
        for holding in holdings_of(connection, dicom_object.c.sop_uid.in_(part)).values():
            place = (holding.center, holding.sop_uid)
            found[place] += [_answer(holding.sop_uid, item) for item in holding.versions]
    return found


def _answer(sop_uid: str, item: HeldVersion) -> Answer:
    return Answer(
        kind=DecisionKind.VERSION,
        subject=sop_uid,
        target=item.digest,
        label=f"From {item.sender}, {item.first_at:%Y-%m-%d %H:%M:%S} UTC",
        note=_note([difference.path for difference in item.differences]),
    )


def _note(paths: Sequence[str]) -> str:
    """What differs from the content that came first."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"differs in {', '.join(paths[:NAMED])}{more}" if paths else "came first"
