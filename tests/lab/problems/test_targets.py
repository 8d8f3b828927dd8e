"""Each target is reached by a good setting, but not at once."""

import math

import keras
import pytest

from keras_optlab import optimizers as o
from keras_optlab.lab.problems import find, names
from keras_optlab.schedules import OneCycle


def one_cycle(optimizer, peak):
    return lambda problem: optimizer(OneCycle(peak=peak, steps=problem.updates))


GOOD = {
    "beale": lambda _: o.AdamW(0.03),
    "char-gpt": one_cycle(o.AdamW, 0.01),
    "diabetes-mlp": one_cycle(o.AdamW, 3e-3),
    "diamonds-mlp": lambda _: o.ScheduleFreeAdamW(0.01),
    "embedding": lambda _: o.AdamW(0.01),
    "mnist-autoencoder": one_cycle(o.AdamW, 3e-3),
    "mnist-cnn": one_cycle(o.AdamW, 8e-3),
    "mnist-logreg": one_cycle(o.Adam, 0.01),
    "mnist-mlp": lambda _: o.ScheduleFreeAdamW(0.01, warmup_steps=50),
    "quadratic-100": lambda _: o.AdamW(0.1),
    "rastrigin": lambda _: o.Momentum(5e-3, momentum=0.9),
    "rosenbrock": lambda _: o.AdamW(0.1),
    "saddle": lambda _: o.AdamW(0.01),
}


class UntilReached(keras.callbacks.Callback):
    """Ends a training at the first evaluation that meets the target."""

    def __init__(self, problem):
        super().__init__()
        self.problem, self.updates, self.reached = problem, 0, None

    def on_train_batch_end(self, batch, logs=None):
        self.updates += 1
        if self.updates % self.problem.evaluate_every == 0:
            x, y = self.problem.splits.validation
            values = self.model.evaluate(
                x, y, batch_size=1000, verbose=0, return_dict=True
            )
            if self.problem.target.is_reached(values[self.problem.target.metric]):
                self.reached = self.updates
        if self.reached or self.updates >= self.problem.updates:
            self.model.stop_training = True


def test_every_problem_has_a_good_setting():
    assert GOOD.keys() == set(names())


@pytest.mark.every
@pytest.mark.parametrize("name", GOOD)
def test_a_target_is_reached_but_not_at_once(name):
    if name == "diabetes-mlp":
        pytest.importorskip("sklearn")
    keras.utils.set_random_seed(0)
    problem = find(name)
    model = problem.model()
    model.compile(GOOD[name](problem), loss=problem.loss, metrics=list(problem.metrics))
    until = UntilReached(problem)
    x, y = problem.splits.train
    epochs = math.ceil(problem.epochs)
    size = problem.batch_size
    model.fit(x, y, batch_size=size, epochs=epochs, verbose=0, callbacks=[until])
    print(f"{name}: {until.reached} of {problem.updates} updates")
    assert until.reached
    assert until.reached > 3 * problem.evaluate_every
