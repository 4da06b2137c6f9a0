"""What each kind of job does; a new calculation adds one function and one line of the table."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtpacs import __version__
from rtpacs.dosimetry import ALGORITHM_VERSION, RoiDvh
from rtpacs.errors import (
    CalculationError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
)
from rtpacs.rules.assembly import assemble
from rtpacs.rules.dose_level import implausible_dose_finding, per_fraction_finding
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, Severity
from rtpacs.services.contents import Contents
from rtpacs.services.ports import (
    Assemblies,
    CalculationInput,
    CalculationResult,
    Calculations,
    Claim,
    Clock,
    Progress,
    Reader,
)
from rtpacs.services.reconcile import Reconciler
from rtpacs.services.versions import Settlement
from rtpacs.services.viewer_packing import Packing

LOGGER = logging.getLogger(__name__)
Handler = Callable[[Claim, Progress], None]
READER_ATTEMPTS = 3
"""A calculation whose child was killed so often fails, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The use cases that run as jobs."""

    assemblies: Assemblies
    calculations: Calculations
    contents: Contents
    settlement: Settlement
    reader: Reader
    reconciler: Reconciler
    packing: Packing
    remove: Handler
    clock: Clock

    def handlers(self) -> Mapping[JobKind, Handler]:
        """Job kind → what to do."""
        return {
            JobKind.ASSEMBLE: self.assemble,
            JobKind.DVH: self.calculate,
            JobKind.VIEWER: self.packing.run,
            JobKind.RECONCILE: self.reconcile,
            JobKind.REMOVE: self.remove,
        }

    def assemble(self, claim: Claim, progress: Progress) -> None:
        """Judge all objects of a patient anew: plan sets, pairs, completeness."""
        patient_key = int(claim.key)
        self.settlement.settle(patient_key)
        assembly = assemble(
            self.assemblies.objects(patient_key),
            patient_key=patient_key,
            decisions=self.assemblies.decisions(patient_key),
        )
        self.assemblies.save(patient_key, assembly, claim)
        self.packing.ask_for_new(patient_key)

    def calculate(self, claim: Claim, progress: Progress) -> None:
        """Calculate the DVHs of a pair; an object that cannot be used is a finding.

        Raises
        ------
        ReaderKilledError
            The child was killed: worth another try.
        LimitExceededError
            It was killed in every attempt. What was calculated before stays.
        """
        try:
            inputs = self.calculations.input_for(claim.key)
        except NotFoundError:
            # The pair went with its objects while the job was being claimed.
            return
        try:
            result = self._result(inputs, progress)
        except ReaderKilledError as exc:
            if claim.attempt < READER_ATTEMPTS:
                raise
            raise LimitExceededError(f"{exc}; so in {claim.attempt} attempts") from exc
        try:
            self.calculations.save(inputs, result, claim)
        except NotFoundError:
            LOGGER.info("pair %s is gone: its result is dropped", claim.key)

    def _result(self, inputs: CalculationInput, progress: Progress) -> CalculationResult:
        findings: tuple[Finding, ...] = ()
        dvhs: tuple[RoiDvh, ...] = ()
        try:
            dvhs = self._dvhs(inputs, progress)
            findings = _dose_level_findings(inputs, dvhs)
        except ReaderKilledError:
            raise
        except (DicomError, CalculationError, LimitExceededError) as exc:
            findings = (Finding(code="not-calculated", severity=Severity.ERROR, text=str(exc)),)
        return CalculationResult(
            dvhs=dvhs,
            findings=findings,
            algorithm=ALGORITHM_VERSION,
            rtpacs_version=__version__,
            calculated_at=self.clock(),
        )

    def _dvhs(self, inputs: CalculationInput, progress: Progress) -> tuple[RoiDvh, ...]:
        def calculate(sources: Sequence[bytes | Path]) -> tuple[RoiDvh, ...]:
            structures, *doses = sources
            return self.reader.calculate(structures, doses, inputs.slice_spacing_mm, progress)

        names = [inputs.structure_set, *inputs.doses]
        return self.contents.located(names).read(names, calculate)

    def reconcile(self, claim: Claim, progress: Progress) -> None:
        """Compare files, archive and index in full; read anew what an earlier reader could not."""
        self.reconciler.sweep(progress)
        self.reconciler.run(progress)
        self.reconciler.reread()
        self.packing.sweep()


def _dose_level_findings(inputs: CalculationInput, dvhs: tuple[RoiDvh, ...]) -> tuple[Finding, ...]:
    """A dose too high; the per-fraction mix-up, judged on the target with the highest median."""
    if inputs.dose_units != "GY":
        return ()
    medians = {
        dvh: median for dvh in dvhs if (median := dvh.dose_at_volume_percent(50)) is not None
    }
    of_targets = [d50 for dvh, d50 in medians.items() if dvh.number in inputs.target_numbers]
    found = (
        implausible_dose_finding({dvh.name: d50 for dvh, d50 in medians.items()}),
        per_fraction_finding(
            inputs.prescribed_gy, inputs.fractions_planned, max(of_targets, default=None)
        ),
    )
    return tuple(finding for finding in found if finding is not None)
