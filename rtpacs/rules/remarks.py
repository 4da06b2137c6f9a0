"""A finding with its effect on the completeness of a plan set."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from rtpacs.rules.objects import Finding, Severity


class Effect(StrEnum):
    """What a finding does to the state of a plan set."""

    NONE = "none"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One finding and whether it keeps the plan set from being complete."""

    finding: Finding
    effect: Effect = Effect.NONE


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def info(code: str, text: str, uid: str | None = None) -> Remark:
    """Something worth knowing that needs no action."""
    return Remark(finding=Finding(code=code, severity=Severity.INFO, text=text, uid=uid))


def warning(code: str, text: str, uid: str | None = None) -> Remark:
    """Something to check that does not block completeness."""
    return Remark(finding=Finding(code=code, severity=Severity.WARNING, text=text, uid=uid))


def error(code: str, text: str, uid: str | None = None) -> Remark:
    """An object that cannot be used, where something else may stand in for it."""
    return Remark(finding=Finding(code=code, severity=Severity.ERROR, text=text, uid=uid))


def incomplete(code: str, text: str, uid: str | None = None) -> Remark:
    """Something that is missing: the plan set waits for it."""
    finding = Finding(code=code, severity=Severity.WARNING, text=text, uid=uid)
    return Remark(finding=finding, effect=Effect.INCOMPLETE)


def unusable(code: str, text: str, uid: str | None = None) -> Remark:
    """Something that is here but cannot be used."""
    finding = Finding(code=code, severity=Severity.ERROR, text=text, uid=uid)
    return Remark(finding=finding, effect=Effect.INCOMPLETE)


def ambiguous(code: str, text: str, uid: str | None = None) -> Remark:
    """Something that a person has to decide: nothing is guessed."""
    finding = Finding(code=code, severity=Severity.ERROR, text=text, uid=uid)
    return Remark(finding=finding, effect=Effect.AMBIGUOUS)


def optional(remarks: Iterable[Remark]) -> list[Remark]:
    """The same remarks on things that a plan set does not need: nothing waits for them."""
    return [
        replace(remark, effect=Effect.NONE) if remark.effect is Effect.INCOMPLETE else remark
        for remark in remarks
    ]


def findings_of(remarks: Iterable[Remark]) -> tuple[Finding, ...]:
    """The findings, each once, in the order given; each names the state that it causes."""
    return tuple(dict.fromkeys(_finding_of(remark) for remark in remarks))


def _finding_of(remark: Remark) -> Finding:
    if remark.effect is Effect.NONE:
        return remark.finding
    return replace(remark.finding, keeps=remark.effect.value)
