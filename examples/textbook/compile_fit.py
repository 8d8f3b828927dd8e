"""The training of `tensorflow_loop.py` by compile and fit: the same weights.

    python examples/textbook/compile_fit.py

`compile` takes what the loop names, and `fit` is the loop. The script runs both and
compares the weights at the end.
"""

import numpy as np
import pictures
from tensorflow_loop import datasets, loss_of, network, train

import keras_optlab as kol

LINES = """\
the loop                      compile and fit
------------------------------------------------
loss_of(y, network(x))        compile(loss=...)
optimizer.apply(...)          compile(optimizer=...)
accuracy.update_state(...)    compile(metrics=...)
GradientTape, @tf.function    fit(...)
for x, y in batches           fit(batches)
for _ in range(epochs)        fit(epochs=...)
for x, y in test              fit(validation_data=...)"""


def main():
    args = pictures.arguments(__doc__, "compile_fit.png", epochs=5, examples=60_000)
    model = network()
    model.compile(kol.optimizers.Adam(1e-3), loss=loss_of, metrics=["accuracy"])
    batches, test = datasets(args.examples)
    history = model.fit(batches, epochs=args.epochs, validation_data=test, verbose=2)

    looped, optimizer = network(), kol.optimizers.Adam(1e-3)
    rows = list(train(looped, optimizer, *datasets(args.examples), args.epochs))
    weights = zip(model.get_weights(), looped.get_weights(), strict=True)
    apart = max(np.abs(a - b).max() for a, b in weights)
    print(f"Largest difference between a weight of the loop and of fit: {apart:.1e}")
    assert apart < 1e-4, "the two trainings must be equal"

    figure, (left, right) = pictures.panels(2, width_ratios=[2, 3])
    epochs, losses = range(1, args.epochs + 1), [loss for loss, _ in rows]
    left.semilogy(epochs, losses, color=pictures.SKY, linewidth=5, label="the loop")
    losses = history.history["loss"]
    left.semilogy(epochs, losses, "o-", color=pictures.RED, markersize=4, label="fit")
    left.legend(frameon=False)
    left.set(xlabel="epoch", title="training loss")
    pictures.write(right, LINES)
    conclusion = (
        f"compile and fit do what the loop does. After {args.epochs} epochs, both have "
        f"the same weights, {f'within {apart:.0e}' if apart else 'to the last bit'}."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
