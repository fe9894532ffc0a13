"""Training that its caller advances: an iterator of events."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.errors import RunError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.targets import Split, Target, load_target, repainted
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import default_lambda_line
from bitfold.training.events import (
    Changed,
    Event,
    LateListener,
    Listener,
    LoopsCompiled,
    Noticed,
    RunEnded,
)
from bitfold.training.run.alteration import alteration_of
from bitfold.training.run.live import Live, live_of
from bitfold.training.run.opening import Opened, open_new, open_old
from bitfold.training.run.record import RunRecord
from bitfold.training.step.resources import limited_threads
from bitfold.training.store.changes import Change, Changes
from bitfold.training.store.run_places import PLACES
from bitfold.training.trainer import Trainer
from bitfold.training.watch.stop_request import StopRequest


class _Stage(Enum):
    NEW = auto()
    TRAINING = auto()
    OVER = auto()  # all is written; `RunEnded` is still to come
    CLOSED = auto()


class Session:
    """A training that goes on only while its caller asks for events.

    Iterate over it: each step gives the next event of `bitfold.training.events`, and an epoch is
    trained only when the next event needs it. To pause is not to ask. Leaving the loop, the end
    of a ``with`` block and `close` save the state and unlock the run's folder. No signal handlers
    are installed: an interrupt is an exception of the caller's loop.

    Args:
        config: the settings of a new run; its folder is made at once, and locked.
        listeners: called with each event when it happens, in this thread.
        overwrite: whether a run in ``config.output_dir`` may be deleted.

    Attributes:
        request: asks the session to end after the epoch in hand.

    Raises:
        TargetError, SamplingError: the picture cannot be loaded, or is too small.
        ConfigError: this machine lacks the device, or settings contradict the picture.
        RunError: the folder holds a run, or cannot be written; no partial run is left behind.

    Example:
        >>> import tempfile
        >>> from bitfold.training import EpochEnded
        >>> config = Config(target="ring", size=16, shape="[4]", epochs=9, audit=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Session(config.replace(output_dir=folder)) as session:
        ...         for event in session:
        ...             if isinstance(event, EpochEnded) and event.epoch == 3:
        ...                 session.change(learning_rate=0.1)
        ...     session.epoch
        9
    """

    def __init__(
        self, config: Config, listeners: Sequence[Listener] = (), *, overwrite: bool = False
    ) -> None:
        self._set_up(open_new(config, overwrite=overwrite), listeners, least_epochs=0)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        listeners: Sequence[Listener] = (),
        *,
        least_epochs: int = 0,
        **changes: Any,
    ) -> Self:
        """Open a run at its newest checkpoint; see `bitfold.resume`.

        Args:
            path: the folder of the run.
            listeners: as for the class.
            least_epochs: training does not end before this epoch, unless a loss is not finite.
            changes: settings to change, as for `change`.

        Raises:
            RunError: the folder holds no run, or another process trains in it.
            CheckpointError: no checkpoint is whole, or it belongs to another network.
            ConfigError: a change that would make another run, such as of ``shape``.
        """
        session = cls.__new__(cls)
        places = {name: changes.pop(name) for name in PLACES if name in changes}
        session._set_up(open_old(path, places), listeners, least_epochs=least_epochs)
        try:
            with session._working():
                session._act_on_recorded()  # an audit at the start sees the settings that act
            session.change(**changes)
        except BaseException:
            session.close()
            raise
        return session

    def _set_up(self, opened: Opened, listeners: Sequence[Listener], *, least_epochs: int) -> None:
        self.request = StopRequest()
        self._listeners = tuple(listeners)
        self._events: deque[Event] = deque()
        self._coming = deque(opened.coming)
        self._least_epochs = least_epochs
        self._ended: RunEnded | None = None
        self._num_compiled = 0  # loops, by this session
        self._record = RunRecord(
            opened.live.run.path,
            Changes(opened.coming).apply(opened.live.run.config),
            Changes((*opened.live.run.changes.items, *opened.coming)),
            opened.live.run.named,
        )
        self._stage = _Stage.NEW
        with opened.lock.pop_all() as lock:
            self._trainer = Trainer(
                opened.live,
                epoch=opened.epoch,
                emit=self._emit,
                request=self.request,
                least_epochs=max([least_epochs, *(change.epoch for change in opened.coming)]),
            )
            self._lock = lock.pop_all()
        for line in opened.notices:
            self._emit(Noticed(line))

    def listen(self, listener: Listener) -> None:
        """Let one more listener hear of the events from now on."""
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener nothing more; without effect if it does not listen."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    @property
    def run(self) -> RunRecord:
        """The record of the run, with all its changes."""
        return self._record

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self._trainer.epoch

    @property
    def network(self) -> nn.Module:
        """The live network; a change may replace it."""
        return self._trainer.live.learner.network

    @property
    def kolmogorov(self) -> KolmogorovLoss | None:
        """The live Kolmogorov loss; None without K."""
        return self._trainer.live.learner.kolmogorov

    def decoded_weights(self) -> dict[str, Tensor]:
        """The network's tensors as frames show them: with learned steps, as they are decoded."""
        return dict(self._trainer.live.learner.objective.decoded_state())

    def seconds_left(self) -> float:
        """Return the seconds that listeners would work on if training ended now, about."""
        late = [one for one in self._listeners if isinstance(one, LateListener)]
        return sum(one.seconds_left() for one in late)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is trained; `RunEnded` may still be to come."""
        return self._stage in (_Stage.OVER, _Stage.CLOSED)

    @property
    def may_go_on(self) -> bool:
        """Whether training is under way, nobody asked for its end, and no recorded change waits."""
        return (
            self._stage is _Stage.TRAINING
            and self._trainer.ending is None
            and self.request.reason is None
            and not self._coming
        )

    def change(
        self, *, target: Target | NDArray[Any] | str | Path | None = None, **settings: Any
    ) -> None:
        """Change settings or the target, from the next epoch on.

        The change is on disk before it acts, in ``changes.jsonl``. A killed run goes on with it,
        and `Run.replay` repeats it. State that the change invalidates is reinitialised, as when a
        run is continued with other settings. In a run that is trained again from an earlier epoch,
        a change acts after the last one that is recorded.

        Args:
            target: pixels of the same size, as `bitfold.targets.repainted` takes them, a target, or
                what ``Config.target`` takes.
            settings: names of `Config` with new values; see `bitfold.training.resumable_settings`.

        Raises:
            ConfigError: a setting may not change, or has a wrong value, or the target has another
                shape or task.
            TargetError, SamplingError: the target cannot be loaded, or has too few points.
            RunError: training is over, the disk is full, or there are too many changes; then
                nothing is changed.
        """
        if self.is_over:
            raise RunError(
                f"Cannot change {self._record.path}: its training is over. Continue it with "
                "`bitfold.Session.resume`."
            )
        last = max((change.epoch for change in self._coming), default=0)
        epoch = max(self.epoch + 1, last)
        found = alteration_of(self._record, epoch, settings, self._target_of(target))
        if found is None:
            return
        if self._coming:
            found.write()
            self._coming.append(found.change)
        else:
            with self._working():
                live = self._altered(found.run, found.target, found.split)
            found.write()  # only what could be built
            self._act(found.change, live)
        notice = default_lambda_line(self._record.config.replace(**settings), found.run.config)
        self._record = found.run
        if notice is not None:
            self._emit(Noticed(notice))

    def close(self) -> None:
        """Save the state after the last finished epoch, and unlock the folder.

        Listeners get `RunEnded` with the reason ``paused``, unless training was over.
        """
        self._close(is_told=True)

    def _close(self, *, is_told: bool) -> None:
        stage, self._stage = self._stage, _Stage.CLOSED
        with self._lock:
            if stage in (_Stage.NEW, _Stage.TRAINING):
                try:
                    paused = self._trainer.pause()
                finally:
                    self._trainer.close()
                if paused is not None and is_told:
                    self._emit(paused)
                self._events.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Whoever interrupts does not want to wait for the listeners to finish.
        self._close(is_told=kind is not KeyboardInterrupt)

    def __iter__(self) -> Generator[Event]:
        """Yield the events; leaving the loop closes the session."""
        try:
            while True:
                try:
                    event = next(self)
                except StopIteration:
                    return
                yield event
        finally:
            self.close()

    def __next__(self) -> Event:
        while not self._events:
            if self._stage is _Stage.CLOSED:
                self._refuse_unless_ended()
                raise StopIteration
            with self._working():
                self._advance()
        return self._events.popleft()

    def _advance(self) -> None:
        if self._stage is _Stage.NEW:
            self._begin()
        elif self._stage is _Stage.OVER:
            assert self._ended is not None
            with self._lock:
                self._emit(self._ended)
            self._stage = _Stage.CLOSED
        elif self._trainer.ending is None:
            self._act_on_recorded()
            if self._trainer.ending is None:
                self._trainer.train_epoch()
        else:
            self._finish()

    def _begin(self) -> None:
        self._stage = _Stage.TRAINING
        self._trainer.start()

    def _finish(self) -> None:
        ended = self._trainer.finish()
        self._trainer.close()
        self._ended, self._stage = ended, _Stage.OVER

    def _act_on_recorded(self) -> None:
        """Let the recorded changes of the next epoch act."""
        num_acted = len(self._trainer.live.run.changes.items)
        while self._coming and self._coming[0].epoch == self.epoch + 1:
            change, num_acted = self._coming.popleft(), num_acted + 1
            if change.is_superseded_by(self._coming[0] if self._coming else None):
                continue
            run = self._record.after(num_acted)
            self._act(change, self._altered(run, run.target, run.split))

    def _altered(self, run: RunRecord, target: Target, split: Split) -> Live:
        """Return what trains with a change, in the present state."""
        before = self._trainer.live.run.changes
        same_points = (before.target_number(), before.split_number()) == (
            run.changes.target_number(),
            run.changes.split_number(),
        )
        state = self._trainer.state()
        return live_of(run, target, split, state, same_points=same_points)

    def _act(self, change: Change, live: Live) -> None:
        if not self._coming:
            self._trainer.least_epochs = self._least_epochs
        before = self._trainer.live.run.config
        self._trainer.alter(live)
        if self._stage is _Stage.TRAINING:
            network = live.learner.network
            self._emit(Changed(change.epoch, change.settings, live.run, network))
            self._trainer.audit_change(before)

    def _target_of(self, given: Target | NDArray[Any] | str | Path | None) -> Target | None:
        if given is None or isinstance(given, Target):
            return given
        if isinstance(given, str | Path):
            config = self._record.config
            return load_target(str(given), size=config.size, task=config.task)
        return repainted(self._record.target, given)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Train as the run's settings say, and leave the process as it was."""
        # Numba is needed by who trains, not by who imports the package.
        from bitfold.runtime.loop_cache.progress import compile_progress  # noqa: PLC0415

        before = self._num_compiled

        def tell(num_compiled: int, num_known: int) -> None:
            self._num_compiled = before + num_compiled
            self._emit(LoopsCompiled(self._num_compiled, before + num_known))

        threads = self._trainer.live.run.config.threads or 1
        with limited_threads(threads), compile_progress(tell):
            yield

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        for listener in self._listeners:
            listener(event)

    def _refuse_unless_ended(self) -> None:
        if self._ended is None:
            raise RunError(
                f"Cannot advance {self._record.path}: this session is closed, after epoch "
                f"{self.epoch}. Continue the run with `bitfold.Session.resume`."
            )
