"""`ask`: the next setting to try, by Optuna's TPE."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_optlab.core.tuning import Choices, Domain, LogUniform
from keras_optlab.lab.requirements import need
from keras_optlab.lab.scores import FAILED
from keras_optlab.lab.trials import Candidate, Setting

RANDOM = 10  # trials before a model of the scores is used


class Sampler:
    """Chooses settings of several optimizers.

    Optuna's study is made anew from the records for each setting, so that there is
    nothing else to keep: with one worker, a study that was ended and gone on with tries
    the same settings as one that was not.

    Args:
        candidates: The optimizers.
        domains: What is searched, by label and name.
        seed: Seed; integer >= 0.

    Raises:
        ImportError: if Optuna is not installed.

    Source: Bergstra et al., 2011, for TPE.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        domains: Mapping[str, Mapping[str, Domain]],
        seed: int,
    ) -> None:
        need("optuna")
        self._candidates = {c.label: c for c in candidates}
        self._domains, self._seed = domains, seed

    def ask(
        self, done: Iterable[tuple[str, Setting, float]], running: Iterable[Any]
    ) -> tuple[str, Setting]:
        """Return the label of an optimizer, and a setting.

        The first settings are the middles of the declared spaces.

        Args:
            done: Label, setting and score of the trials so far; lower is better.
            running: Label and setting of those that run.
        """
        import optuna

        done, running = list(done), list(running)
        number = len(done) + len(running)
        if number < len(self._candidates):
            label = list(self._candidates)[number]
            middle = dict.fromkeys(self._domains[label], 0.5)
            return label, self._candidates[label].at(middle, self._domains[label])
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=max(RANDOM, 2 * len(self._candidates)),
                multivariate=True,
                group=True,  # each optimizer has arguments of its own
                constant_liar=True,
                seed=self._seed + number,
            )
        study = optuna.create_study(sampler=sampler)
        for label, setting, score in done:
            study.add_trial(self._trial(label, setting, min(score, FAILED)))
        for label, setting in running:
            study.add_trial(self._trial(label, setting, None))
        return self._suggested(study.ask())

    def _suggested(self, trial: Any) -> tuple[str, Setting]:
        label = trial.suggest_categorical("optimizer", [*self._candidates])
        values = {
            name: _suggest(trial, f"{label} {name}", domain)
            for name, domain in self._domains[label].items()
        }
        return label, self._candidates[label].setting(values)

    def _trial(self, label: str, setting: Setting, score: float | None) -> Any:
        """Return a trial of Optuna; without a score, one that runs."""
        import optuna

        of_setting = {"length": setting.length, "warmup": setting.warmup}
        values = {**of_setting, **setting.arguments}
        domains = self._domains[label]
        params = {"optimizer": label}
        params |= {f"{label} {name}": values[name] for name in domains}
        labels = optuna.distributions.CategoricalDistribution([*self._candidates])
        distributions: dict[str, Any] = {"optimizer": labels}
        distributions |= {f"{label} {k}": _distribution(d) for k, d in domains.items()}
        state = optuna.trial.TrialState
        return optuna.trial.create_trial(
            state=state.RUNNING if score is None else state.COMPLETE,
            params=params,
            distributions=distributions,
            value=None if score is None else math.log(max(score, 1e-12)),
        )


def _distribution(domain: Domain) -> Any:
    from optuna import distributions

    if isinstance(domain, Choices):
        return distributions.CategoricalDistribution(domain.values)
    log = isinstance(domain, LogUniform)
    if isinstance(domain, LogUniform) and domain.integer:
        return distributions.IntDistribution(int(domain.low), int(domain.high), log=log)
    return distributions.FloatDistribution(domain.low, domain.high, log=log)


def _suggest(trial: Any, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        return trial.suggest_categorical(name, domain.values)
    log = isinstance(domain, LogUniform)
    if isinstance(domain, LogUniform) and domain.integer:
        return trial.suggest_int(name, int(domain.low), int(domain.high), log=log)
    value = trial.suggest_float(name, domain.low, domain.high, log=log)
    return min(max(float(f"{value:.4g}"), domain.low), domain.high)
