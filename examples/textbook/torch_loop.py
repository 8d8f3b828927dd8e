"""The textbook's training loop in PyTorch, with a network and an optimizer of Keras.

    python examples/textbook/torch_loop.py

A network reads the digits of MNIST on Keras' torch backend. Three lines differ from
PyTorch's; the script runs both loops and compares the losses.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

import inspect

import keras
import numpy as np
import pictures
import torch
from keras import layers
from torch.utils.data import DataLoader, TensorDataset

import keras_optlab as kol

loss_of = torch.nn.CrossEntropyLoss()


def with_torch(net, data):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for x, y in data:
        optimizer.zero_grad()
        loss = loss_of(net(x, training=True), y)
        loss.backward()
        optimizer.step()
        yield loss.item()


def with_keras(net, data):
    optimizer = kol.optimizers.SGD(0.1, momentum=0.9)
    for x, y in data:
        net.zero_grad()
        loss = loss_of(net(x, training=True), y)
        loss.backward()
        grads = [v.value.grad for v in net.trainable_variables]
        with torch.no_grad():
            optimizer.apply(grads, net.trainable_variables)
        yield loss.item()


def losses(loop, args):
    """Return the loss of each batch; each call has the same weights and batches."""
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(128, activation="relu") for _ in range(2)]
    net = keras.Sequential([keras.Input((784,)), *hidden, layers.Dense(10)])
    (x, y), _ = kol.datasets.mnist()
    x, y = x[: args.examples].reshape(-1, 784), y[: args.examples].astype("int64")
    rows = TensorDataset(torch.tensor(x / np.float32(255)), torch.tensor(y))
    data = DataLoader(rows, batch_size=128, shuffle=True)
    return np.array([loss for _ in range(args.epochs) for loss in loop(net, data)])


def main():
    args = pictures.arguments(__doc__, "torch_loop.png", epochs=1, examples=20_000)
    ours, theirs = losses(with_keras, args), losses(with_torch, args)
    apart = np.abs(ours - theirs).max()
    assert apart < 1e-3, "the loops must make the same updates"
    figure, (left, right) = pictures.panels(2, height=3.4, width_ratios=[1, 1])
    left.semilogy(theirs, color=pictures.SKY, linewidth=3, label="PyTorch's optimizer")
    left.semilogy(ours, color=pictures.RED, linewidth=0.7, label="Keras' optimizer")
    left.legend(frameon=False, title="loss of the batch")
    left.set(xlabel="update")
    pictures.write(right, "\n".join(map(inspect.getsource, (with_torch, with_keras))))
    conclusion = (
        f"Three lines differ, the training does not: over {len(ours)} updates, no loss "
        f"differs by more than {apart:.0e}."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
