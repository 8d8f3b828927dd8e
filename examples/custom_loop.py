"""A custom training loop, for trainings that `fit` cannot express.

    KERAS_BACKEND=torch python examples/custom_loop.py  # or jax, or tensorflow

The loop calls `optimizer.apply`. A NaN in the data makes it skip one update per epoch.
"""

import argparse

import keras
import numpy as np

import keras_optlab as kol

loss_of = keras.losses.MeanSquaredError()


def train_tensorflow(model, optimizer, batches):
    import tensorflow as tf

    @tf.function  # compiles the whole step, optimizer included
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)

    for x, y in batches:
        step(x, y)


def train_jax(model, optimizer, batches):
    import jax

    def forward(weights, others, x, y):
        prediction, others = model.stateless_call(weights, others, x, training=True)
        return loss_of(y, prediction), others

    @jax.jit  # compiles pure functions: all state is passed in and returned
    def step(weights, state, others, x, y):
        gradients, others = jax.grad(forward, has_aux=True)(weights, others, x, y)
        return *optimizer.stateless_apply(state, gradients, weights), others

    groups = [model.trainable_variables, optimizer.variables]
    groups.append(model.non_trainable_variables)
    values = [[variable.value for variable in group] for group in groups]
    for x, y in batches:
        values = step(*values, x, y)
    for variable, value in zip(sum(groups, []), sum(values, []), strict=True):
        variable.assign(value)


def train_torch(model, optimizer, batches):
    import torch

    for x, y in batches:
        model.zero_grad()
        loss_of(y, model(x, training=True)).backward()
        gradients = [weight.value.grad for weight in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_variables)


def shuffled_batches(x, y, epochs, size=64):
    for _ in range(epochs):
        order = np.random.permutation(len(x))
        for rows in np.split(order, range(size, len(x), size)):
            yield x[rows], y[rows]


def main():
    parser = argparse.ArgumentParser(description="Train on diamonds without fit.")
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--examples", type=int, default=6400, help="default: 6,400")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)

    data = kol.datasets.diamonds()
    x, y = data.x_train[: args.examples], data.y_train[: args.examples, None]
    x[0] = np.nan  # one broken row: without the guard, all weights would be NaN

    hidden = [keras.layers.Dense(64, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, keras.layers.Dense(1)])
    optimizer = kol.optimizers.Nadam(2e-3, global_clipnorm=0.05)
    optimizer.build(model.trainable_variables)
    optimizer.collect_statistics(every=10)  # before the step is compiled
    train = {"tensorflow": train_tensorflow, "jax": train_jax, "torch": train_torch}
    batches = shuffled_batches(x, y, args.epochs)
    train[keras.backend.backend()](model, optimizer, batches)

    error = model.predict(data.x_test, verbose=0)[:, 0] - data.y_test
    last = optimizer.statistics()
    print(f"Updates: {int(optimizer.updates)}, skipped: {int(optimizer.skipped_steps)}")
    print(f"Gradient norm at update {last.step}: {last.gradient_norm:.3f},", end=" ")
    print(f"clipped to {last.clipped_gradient_norm:.3f}")
    print(f"Test R²: {1 - np.mean(error**2) / np.var(data.y_test):.4f}")


if __name__ == "__main__":
    main()
