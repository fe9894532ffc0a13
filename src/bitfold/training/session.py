"""The training process of a run: from its start or a checkpoint to its end."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bitfold.audit import GradientAudit
from bitfold.errors import AuditError
from bitfold.training.events import (
    Audited,
    CheckpointWritten,
    EpochEnded,
    Event,
    FoldsMeasured,
    Listener,
    LoopsCompiled,
    Noticed,
    RunEnded,
    RunStarted,
)
from bitfold.training.run.journal import Journal
from bitfold.training.run.late_folds import LateFolds
from bitfold.training.run.run import Run
from bitfold.training.run.state import capture, restore
from bitfold.training.step.epoch_result import EpochResult
from bitfold.training.step.learner import Learner
from bitfold.training.store.checkpoints import Checkpoint, checkpoint_paths
from bitfold.training.store.metrics import Metrics, finite
from bitfold.training.watch.gradient_audit import AUDIT_EXIT_CODE, audit_learner, cut_message
from bitfold.training.watch.oversight import Oversight
from bitfold.training.watch.stop_request import PATIENCE_SECONDS, StopRequest, stop_requests
from bitfold.training.watch.watchdogs import FiniteWatchdog, Observation

#: Epochs from one measurement of the gradients' norms to the next.
GRADIENT_INTERVAL = 50
#: Exit code of a run whose last state could not be written.
UNSAVED_EXIT_CODE = 7


@dataclass(frozen=True)
class _Ending:
    reason: str
    message: str
    exit_code: int
    is_healthy: bool = True
    if_saved: str = ""

    def saved(self) -> _Ending:
        """The same ending of a run whose last good state is on disk."""
        return dataclasses.replace(self, message=self.message + self.if_saved)

    def unsaved(self, epoch: int, reason: str) -> _Ending:
        """The same ending of a run whose state after an epoch could not be written."""
        message = f"{self.message} Cannot write the state after epoch {epoch}: {reason}."
        return _Ending("unsaved", message, UNSAVED_EXIT_CODE, self.is_healthy)


class Session:
    """Trains epoch by epoch, writes the run's files, and sends events to the listeners.

    Args:
        run: the run; the caller holds the lock of its folder.
        learner: a learner in the state after ``epoch`` epochs.
        oversight: the observers, with their histories.
        epoch: number of finished epochs.
        listeners: called with every event, in order.

    Raises:
        RunError: a file of the run cannot be opened.
    """

    def __init__(
        self,
        run: Run,
        learner: Learner,
        oversight: Oversight,
        *,
        epoch: int,
        listeners: Sequence[Listener],
    ) -> None:
        self._run, self._learner, self._oversight = run, learner, oversight
        self._epoch, self._listeners = epoch, listeners
        self._split = run.split
        self._validation_loss: float | None = None
        self._unsaved: Checkpoint | None = None  # the newest state that the disk refused
        self._is_slow = True  # until an epoch has shown otherwise
        folds = oversight.folds
        self._late_folds = None if folds is None else LateFolds(run, folds)
        self._journal = Journal(
            run,
            learner.network.state_dict(),
            epoch=epoch,
            notice=lambda line: self._send(Noticed(line)),
        )

    def train(self) -> RunEnded:
        """Train until the last epoch, a watchdog, or a request to stop."""
        # Numba is needed by who trains, not by who imports the package.
        from bitfold.runtime.loop_cache.progress import compile_progress  # noqa: PLC0415

        try:
            with stop_requests() as request, compile_progress(self._send_compiled):
                ended = self._train(request)
        finally:
            self._journal.close()
            if self._late_folds is not None:
                self._late_folds.close()
        # Sent last, when signals act as before: a listener may take long to finish.
        self._send(ended)
        return ended

    def _train(self, request: StopRequest) -> RunEnded:
        self._set_status("running", "training", None)
        if self._late_folds is not None:
            self._late_folds.start()
        self._send(RunStarted(self._run, self._epoch, self._learner.network))
        if self._epoch == 0:
            self._measure_folds(None)  # gives the patterns for the first comparison
            self._append_frame({})
            self._save()
        ending = self._check_completion() or self._audit_start()
        while ending is None:
            ending = self._one_epoch(request)
        if ending.is_healthy and self._journal.frame_epoch != self._epoch:
            self._append_frame(self._journal.last_metrics())
        self._finish_folds(request)
        ending = self._save_last(ending)
        conclusion = self._learner.weight_schedule.conclusion()
        if conclusion is not None:
            self._send(Noticed(conclusion))
        self._set_status(ending.reason, ending.message, ending.exit_code)
        return RunEnded(
            self._epoch,
            ending.reason,
            ending.message,
            ending.exit_code,
            self._learner.network,
            self._learner.kolmogorov,
        )

    def _one_epoch(self, request: StopRequest) -> _Ending | None:
        epoch, start = self._epoch + 1, time.perf_counter()
        # Only a long epoch is given up, so only a long one needs a state to fall back to.
        before = _copied(self._state()) if self._is_slow else None
        result = self._learner.run_epoch(epoch, request.is_urgent if before is not None else None)
        if result is None:
            return self._give_up(before, request)
        measured = self._measure(epoch, result, start)
        self._epoch, self._validation_loss = epoch, result.validation_loss
        metrics = finite({**measured, **self._measure_folds(result.description_bits)})
        self._warn(result)
        ending = (
            self._check_watchdogs(measured, result)
            or self._check_request(request)
            or self._check_completion()
        )
        self._journal.append_metrics(metrics)
        is_healthy = ending is None or ending.is_healthy
        due = ending is not None or self._journal.is_frame_due(epoch)
        has_frame = is_healthy and due and self._append_frame(metrics)
        self._send(EpochEnded(epoch, metrics, has_frame))
        self._catch_up_folds()
        if ending is None and epoch % self._run.config.checkpoint_interval == 0:
            self._save()
        self._is_slow = time.perf_counter() - start > PATIENCE_SECONDS
        return ending

    def _warn(self, result: EpochResult) -> None:
        """Send the notices of the schedule of lambda and of the trade monitor."""
        if result.notice is not None:
            self._send(Noticed(result.notice))
        trade = self._oversight.trade(result)
        if trade is not None:
            self._send(Noticed(trade))
            audit = self._audit(trade)
            if audit is not None and audit.ok:
                self._send(Noticed(f"No gradient is cut at epoch {self._epoch}: see audit.txt."))

    def _audit_start(self) -> _Ending | None:
        audit = self._audit("before the first step")
        if audit is None or audit.ok:
            return None
        return _Ending("audit", cut_message(audit), AUDIT_EXIT_CODE)

    def _audit(self, occasion: str) -> GradientAudit | None:
        if not self._run.config.audit:
            return None
        try:
            audit = audit_learner(self._learner)
        except AuditError as error:  # a loss is not finite: the watchdog ends the run
            self._send(Noticed(str(error)))
            return None
        self._journal.append_audit(f"After epoch {self._epoch}, {occasion}", str(audit))
        self._send(Audited(self._epoch, occasion, audit.ok, str(audit)))
        return audit

    def _give_up(self, before: Checkpoint | None, request: StopRequest) -> _Ending | None:
        assert before is not None
        restore(before, self._learner, self._oversight, self._run.path)
        return self._check_request(request)

    def _measure(self, epoch: int, result: EpochResult, start: float) -> Metrics:
        weighted = result.kolmogorov_weight * (result.kolmogorov_loss or 0.0)
        norms: tuple[float | None, ...] = (None, None, None)
        if epoch % GRADIENT_INTERVAL == 0:
            norms = self._learner.objective.gradient_norms()
        return {
            "epoch": epoch,
            "combined_loss": result.task_loss + weighted,
            "task_loss": result.task_loss,
            "kolmogorov_loss": result.kolmogorov_loss,
            "kolmogorov_weight": result.kolmogorov_weight,
            "validation_loss": result.validation_loss,
            self._learner.task.score_name: result.score,
            "description_bits": result.description_bits,
            "weights_out_of_range": result.out_of_range,
            "grad_norm_task_network": norms[0],
            "grad_norm_kolmogorov_network": norms[1],
            "grad_norm_kolmogorov_predictor": norms[2],
            "seconds": time.perf_counter() - start,
        }

    def _measure_folds(self, description_bits: float | None) -> Metrics:
        folds, late = self._oversight.folds, self._late_folds
        if folds is None or late is None or not folds.is_due(self._epoch):
            return {}
        if self._epoch > 0 and not self._journal.is_frame_due(self._epoch):
            late.wait()  # the trajectory will not have this epoch
        self._catch_up_folds()
        if late.postpones(self._epoch):
            return {}
        with torch.no_grad(), self._learner.objective.decoded():
            return folds.measure(self._learner.network, description_bits)

    def _catch_up_folds(self) -> None:
        """Measure the epochs whose folds could not be measured at once, if they can be now."""
        found = self._late_folds.catch_up() if self._late_folds is not None else {}
        if found:
            self._journal.complete_metrics(found)
        for epoch, numbers in found.items():
            if epoch > 0 and numbers:
                self._send(FoldsMeasured(epoch, finite(numbers)))

    def _finish_folds(self, request: StopRequest) -> None:
        """Measure what is still to be measured; a run that is stopped keeps it for later."""
        if self._late_folds is not None and self._late_folds.has_postponed():
            self._late_folds.wait(lambda: request.reason is not None)
            self._catch_up_folds()

    def _check_watchdogs(self, measured: Metrics, result: EpochResult) -> _Ending | None:
        if not self._oversight.watchdogs:
            return None
        names = ("task_loss", "kolmogorov_loss", "combined_loss", "validation_loss")
        losses = {name: float(v) for name in names if (v := measured[name]) is not None}
        weights = self._learner.flat_weights()
        seen = Observation(self._epoch, losses, weights, result.output_spread)
        for watchdog in self._oversight.watchdogs:
            reason = watchdog.inspect(seen)
            if reason is not None:
                is_healthy = not isinstance(watchdog, FiniteWatchdog)
                message = f"Stopped by the watchdog {watchdog.name!r}: {reason}."
                if not is_healthy:
                    message += self._name_last_good()
                return _Ending(watchdog.name, message, watchdog.exit_code, is_healthy)
        return None

    def _name_last_good(self) -> str:
        if self._unsaved is not None:
            self._save(self._unsaved)
        # Only healthy epochs are saved, so the newest checkpoint is good.
        paths = checkpoint_paths(self._run.checkpoints)
        if not paths:
            return " There is no checkpoint before it."
        return f" The last good checkpoint is {paths[-1]}."

    def _check_request(self, request: StopRequest) -> _Ending | None:
        if request.reason is None:
            return None
        message = f"Training was {request.reason} after epoch {self._epoch}."
        return _Ending(request.reason, message, request.exit_code, if_saved=" Its state is saved.")

    def _check_completion(self) -> _Ending | None:
        if self._epoch < self._run.config.epochs:
            return None
        return _Ending("completed", f"Training completed {self._epoch} epochs.", 0)

    def _append_frame(self, metrics: Metrics) -> bool:
        weights = self._learner.objective.decoded_state()
        return self._journal.append_frame(self._epoch, metrics, weights)

    def _save(self, kept: Checkpoint | None = None) -> None:
        """Write the present state or a kept one; keep a copy of what the disk refuses."""
        state = self._state() if kept is None else kept
        path = self._journal.save(state)
        if path is not None:
            self._unsaved = None
            self._send(CheckpointWritten(state.epoch, path))
        elif kept is None:
            self._unsaved = _copied(state)

    def _save_last(self, ending: _Ending) -> _Ending:
        """Write the last good state, again if the disk refused it; say so if it is lost."""
        if ending.is_healthy and self._journal.saved_epoch != self._epoch:
            self._save()
        elif self._unsaved is not None:
            self._save(self._unsaved)
        if self._unsaved is None:
            return ending.saved()
        return ending.unsaved(self._unsaved.epoch, self._journal.refusal)

    def _state(self) -> Checkpoint:
        return capture(
            self._epoch, self._learner, self._split, self._oversight, self._validation_loss
        )

    def _set_status(self, status: str, message: str, exit_code: int | None) -> None:
        self._journal.set_status(
            status=status, message=message, exit_code=exit_code, epoch=self._epoch
        )

    def _send_compiled(self, num_compiled: int, num_known: int) -> None:
        self._send(LoopsCompiled(num_compiled, num_known))

    def _send(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _copied(state: Checkpoint) -> Checkpoint:
    """A copy that later steps of the learner leave as it is."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    return dataclasses.replace(state, tensors=tensors)
