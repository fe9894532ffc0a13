"""Trains epoch by epoch, watches, and writes the files of the run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import torch

from bitfold.audit import GradientAudit
from bitfold.errors import AuditError
from bitfold.training.config.configuration import Config
from bitfold.training.ending import Ending
from bitfold.training.events import (
    Audited,
    CheckpointWritten,
    EpochEnded,
    Event,
    FoldsMeasured,
    Noticed,
    RunEnded,
    RunStarted,
)
from bitfold.training.run.journal import Journal
from bitfold.training.run.late_folds import LateFolds
from bitfold.training.run.live import Live
from bitfold.training.run.state import capture, restore
from bitfold.training.step.epoch_result import EpochResult
from bitfold.training.store.checkpoints import Checkpoint, checkpoint_paths
from bitfold.training.store.metrics import Metrics, finite
from bitfold.training.watch.gradient_audit import AUDIT_EXIT_CODE, audit_learner, cut_message
from bitfold.training.watch.stop_request import PATIENCE_SECONDS, StopRequest
from bitfold.training.watch.watchdogs import FiniteWatchdog, Observation

#: Epochs from one measurement of the gradients' norms to the next.
GRADIENT_INTERVAL = 50


class Trainer:
    """Trains epoch by epoch, writes the run's files, and emits events.

    Args:
        live: learner and observers, in the state after ``epoch`` epochs; the caller holds the lock
            of the run's folder.
        epoch: number of finished epochs.
        emit: called with every event, in order.
        request: asks for a stop after the epoch in hand.
        least_epochs: training does not end before this epoch because it is complete or because a
            watchdog stops a healthy run: the run has been trained that far before.

    Attributes:
        live: as above; `alter` replaces it.
        epoch: number of finished epochs.
        ending: how training ended; None while it goes on.

    Raises:
        RunError: a file of the run cannot be opened.
    """

    def __init__(
        self,
        live: Live,
        *,
        epoch: int,
        emit: Callable[[Event], None],
        request: StopRequest,
        least_epochs: int = 0,
    ) -> None:
        self.live, self.epoch = live, epoch
        self.ending: Ending | None = None
        self._emit, self._request, self.least_epochs = emit, request, least_epochs
        self._has_begun = False
        self._validation_loss: float | None = None
        self._unsaved: Checkpoint | None = None  # the newest state that the disk refused
        self._is_slow = True  # until an epoch has shown otherwise
        self._is_whole = True  # not in the middle of an epoch
        self._late_folds: LateFolds | None = None
        self._journal = Journal(
            live.run,
            live.learner.network.state_dict(),
            epoch=epoch,
            notice=lambda line: emit(Noticed(line)),
        )

    def start(self) -> None:
        """Begin, or go on: write the start of a new run, and audit the gradients."""
        self._has_begun = True
        self._set_status("running", "training", None)
        self._follow_folds()
        self._emit(RunStarted(self.live.run, self.epoch, self.live.learner.network))
        if self.epoch == 0:
            self._measure_folds(None)  # gives the patterns for the first comparison
            self._append_frame({})
            self._save()
        self.ending = self._check_completion() or self._audit_start()

    def train_epoch(self) -> None:
        """Train one epoch; set `ending` if it was the last."""
        self.ending = self._one_epoch(self._request)

    def state(self) -> Checkpoint:
        """Return the whole state after the last finished epoch; its tensors are the learner's."""
        live = self.live
        return capture(
            self.epoch,
            live.learner,
            live.split,
            live.oversight,
            self._validation_loss,
            num_changes=len(live.run.changes.items),
        )

    def alter(self, live: Live) -> None:
        """Go on with a changed learner that is in the state of the one before."""
        self.live = live
        self._is_slow = True
        self._journal.follow(live.run)
        if self._has_begun:
            self._follow_folds()
            self.ending = self._check_completion()

    def audit_change(self, before: Config) -> None:
        """Audit the gradients if another K is computed than with the settings before."""
        now = self.live.run.config
        kinds = [(c.has_kolmogorov, c.kolmogorov.targets) for c in (before, now)]
        if self.ending is None and now.has_kolmogorov and kinds[0] != kinds[1]:
            self._audit("when K was changed")

    def finish(self) -> RunEnded:
        """Write all that is due after the last epoch; return the last event."""
        ending = self.ending
        assert ending is not None
        if ending.is_healthy and self._journal.frame_epoch != self.epoch:
            self._append_frame(self._journal.last_metrics())
        self._finish_folds()
        ending = self._save_last(ending)
        conclusion = self.live.learner.weight_schedule.conclusion()
        if conclusion is not None:
            self._emit(Noticed(conclusion))
        return self._ended(ending)

    def _ended(self, ending: Ending) -> RunEnded:
        self._set_status(ending.reason, ending.message, ending.exit_code)
        learner = self.live.learner
        return RunEnded(
            self.epoch,
            ending.reason,
            ending.message,
            ending.exit_code,
            learner.network,
            learner.kolmogorov,
        )

    def pause(self) -> RunEnded | None:
        """Save the state after the last finished epoch; an epoch that broke off is lost.

        Returns:
            The last event; None if training has not begun.
        """
        if not self._has_begun:
            return None
        message = f"Training was paused after epoch {self.epoch}."
        ending = Ending("paused", message, 0, self._is_whole, " Its state is saved.")
        return self._ended(self._save_last(ending))

    def close(self) -> None:
        """Close the files, and end what still compiles."""
        self._journal.close()
        if self._late_folds is not None:
            self._late_folds.close()

    def _follow_folds(self) -> None:
        folds = self.live.oversight.folds
        if folds is None:
            return
        if self._late_folds is None:
            self._late_folds = LateFolds(self.live.run, folds)
            self._late_folds.start()
        else:
            self._late_folds.follow(self.live.run, folds)

    def _one_epoch(self, request: StopRequest) -> Ending | None:
        epoch, start = self.epoch + 1, time.perf_counter()
        # Only a long epoch is given up, so only a long one needs a state to fall back to.
        before = _copied(self.state()) if self._is_slow else None
        self._is_whole = False
        should_stop = request.is_urgent if before is not None else None
        result = self.live.learner.run_epoch(epoch, should_stop)
        if result is None:
            return self._give_up(before, request)
        measured = self._measure(epoch, result, start)
        self.epoch, self._validation_loss = epoch, result.validation_loss
        self._is_whole = True
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
        self._emit(EpochEnded(epoch, metrics, has_frame))
        self._catch_up_folds()
        is_due = self._journal.is_checkpoint_due(time.perf_counter() - start)
        if ending is None and (is_due or epoch % self.live.run.config.checkpoint_interval == 0):
            self._save()
        self._is_slow = time.perf_counter() - start > PATIENCE_SECONDS
        return ending

    def _warn(self, result: EpochResult) -> None:
        """Send the notices of the schedule of lambda and of the trade monitor."""
        if result.notice is not None:
            self._emit(Noticed(result.notice))
        trade = self.live.oversight.trade(result)
        if trade is not None:
            self._emit(Noticed(trade))
            audit = self._audit(trade)
            if audit is not None and audit.ok:
                self._emit(Noticed(f"No gradient is cut at epoch {self.epoch}: see audit.txt."))

    def _audit_start(self) -> Ending | None:
        audit = self._audit("before the first step")
        if audit is None or audit.ok or self._is_cut_planted():
            return None
        return Ending("audit", cut_message(audit), AUDIT_EXIT_CODE)

    def _is_cut_planted(self) -> bool:
        learner = self.live.learner
        return learner.kolmogorov is not None and learner.kolmogorov.targets.is_planted_bug

    def _audit(self, occasion: str) -> GradientAudit | None:
        if not self.live.run.config.audit:
            return None
        try:
            audit = audit_learner(self.live.learner)
        except AuditError as error:  # a loss is not finite: the watchdog ends the run
            self._emit(Noticed(str(error)))
            return None
        self._journal.append_audit(f"After epoch {self.epoch}, {occasion}", str(audit))
        self._emit(Audited(self.epoch, occasion, audit.ok, str(audit), audit.rows))
        return audit

    def _give_up(self, before: Checkpoint | None, request: StopRequest) -> Ending | None:
        assert before is not None
        restore(before, self.live.learner, self.live.oversight, self.live.run.path)
        self._is_whole = True
        return self._check_request(request)

    def _measure(self, epoch: int, result: EpochResult, start: float) -> Metrics:
        weighted = result.kolmogorov_weight * (result.kolmogorov_loss or 0.0)
        norms: tuple[float | None, ...] = (None, None, None)
        if epoch % GRADIENT_INTERVAL == 0:
            norms = self.live.learner.objective.gradient_norms()
        return {
            "epoch": epoch,
            "combined_loss": result.task_loss + weighted,
            "task_loss": result.task_loss,
            "kolmogorov_loss": result.kolmogorov_loss,
            "kolmogorov_weight": result.kolmogorov_weight,
            "validation_loss": result.validation_loss,
            self.live.learner.task.score_name: result.score,
            "description_bits": result.description_bits,
            "weights_out_of_range": result.out_of_range,
            "grad_norm_task_network": norms[0],
            "grad_norm_kolmogorov_network": norms[1],
            "grad_norm_kolmogorov_predictor": norms[2],
            "seconds": time.perf_counter() - start,
        }

    def _measure_folds(self, description_bits: float | None) -> Metrics:
        folds, late = self.live.oversight.folds, self._late_folds
        if folds is None or late is None or not folds.is_due(self.epoch):
            return {}
        is_recorded = self.epoch == 0 or self._journal.is_frame_due(self.epoch)
        if not is_recorded and late.is_full():
            late.wait()
        self._catch_up_folds()
        if late.postpones(self.epoch):
            if not is_recorded:
                late.keep(self.epoch, self.live.learner.objective.decoded_state())
            return {}
        with torch.no_grad(), self.live.learner.objective.decoded():
            return folds.measure(self.live.learner.network, description_bits)

    def _catch_up_folds(self) -> None:
        """Measure the epochs whose folds could not be measured at once, if they can be now."""
        found = self._late_folds.catch_up() if self._late_folds is not None else {}
        if found:
            self._journal.complete_metrics(found)
        for epoch, numbers in found.items():
            if epoch > 0 and numbers:
                self._emit(FoldsMeasured(epoch, finite(numbers)))

    def _finish_folds(self) -> None:
        """Measure what is still to be measured; a run that is stopped keeps it for later."""
        if self._late_folds is not None and self._late_folds.has_postponed():
            self._late_folds.wait(lambda: self._request.reason is not None)
            self._catch_up_folds()

    def _check_watchdogs(self, measured: Metrics, result: EpochResult) -> Ending | None:
        if not self.live.oversight.watchdogs:
            return None
        names = ("task_loss", "kolmogorov_loss", "combined_loss", "validation_loss")
        losses = {name: float(v) for name in names if (v := measured[name]) is not None}
        weights = self.live.learner.flat_weights()
        seen = Observation(self.epoch, losses, weights, result.output_spread)
        for watchdog in self.live.oversight.watchdogs:
            reason = watchdog.inspect(seen)
            if reason is not None:
                is_healthy = not isinstance(watchdog, FiniteWatchdog)
                if is_healthy and self.epoch < self.least_epochs:
                    continue
                message = f"Stopped by the watchdog {watchdog.name!r}: {reason}."
                if not is_healthy:
                    message += self._name_last_good()
                return Ending(watchdog.name, message, watchdog.exit_code, is_healthy)
        return None

    def _name_last_good(self) -> str:
        if self._unsaved is not None:
            self._save(self._unsaved)
        # Only healthy epochs are saved, so the newest checkpoint is good.
        paths = checkpoint_paths(self.live.run.checkpoints)
        if not paths:
            return " There is no checkpoint before it."
        return f" The last good checkpoint is {paths[-1]}."

    def _check_request(self, request: StopRequest) -> Ending | None:
        if request.reason is None:
            return None
        message = f"Training was {request.reason} after epoch {self.epoch}."
        return Ending(request.reason, message, request.exit_code, if_saved=" Its state is saved.")

    def _check_completion(self) -> Ending | None:
        if self.epoch < max(self.live.run.config.epochs, self.least_epochs):
            return None
        return Ending("completed", f"Training completed {self.epoch} epochs.", 0)

    def _append_frame(self, metrics: Metrics) -> bool:
        weights = self.live.learner.objective.decoded_state()
        return self._journal.append_frame(self.epoch, metrics, weights)

    def _save(self, kept: Checkpoint | None = None) -> None:
        """Write the present state or a kept one; keep a copy of what the disk refuses."""
        self._measure_kept_folds()
        state = self.state() if kept is None else kept
        path = self._journal.save(state)
        if path is not None:
            self._unsaved = None
            self._emit(CheckpointWritten(state.epoch, path))
        elif kept is None:
            self._unsaved = _copied(state)

    def _measure_kept_folds(self) -> None:
        """Measure what no file has the weights of; a stop does not wait for that."""
        late = self._late_folds
        if late is None or not late.has_kept():
            return
        late.wait(lambda: self._request.reason is not None)
        self._catch_up_folds()
        if late.has_kept():
            self._emit(
                Noticed(
                    "Some folds between frames are missing: training was stopped before their "
                    "loops were compiled."
                )
            )

    def _save_last(self, ending: Ending) -> Ending:
        """Write the last good state, again if the disk refused it; say so if it is lost."""
        if ending.is_healthy and self._journal.saved_epoch != self.epoch:
            self._save()
        elif self._unsaved is not None:
            self._save(self._unsaved)
        if self._unsaved is None:
            return ending.saved()
        return ending.unsaved(self._unsaved.epoch, self._journal.refusal)

    def _set_status(self, status: str, message: str, exit_code: int | None) -> None:
        self._journal.set_status(
            status=status, message=message, exit_code=exit_code, epoch=self.epoch
        )


def _copied(state: Checkpoint) -> Checkpoint:
    """A copy that later steps of the learner leave as it is."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    return dataclasses.replace(state, tensors=tensors)
