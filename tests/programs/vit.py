"""Vision transformer: patches, a class token, layer-wise decay of learning rates."""

import keras
import numpy as np
from keras import ops

from keras_optlab import layerwise_decay
from tests.programs.common import (
    BACKEND,
    JIT,
    board,
    check_evaluation,
    check_fell,
    check_log,
    check_reloaded,
    check_weights,
    numpy,
)
from tests.programs.transformer import Block

no_second_pass = ""
SIDE, PATCH, SIZE, DEPTH = 8, 4, 8, 2
STEPS = 1 if BACKEND == "torch" else 2  # torch has no steps_per_execution


def train(make, directory):
    x, y = pictures()
    model = ViT()
    model(x[:1])
    groups = layerwise_decay(model, 0.5)
    # The first group is the stem, with class token and positions; the last the head.
    assert [g.learning_rate for g in groups] == [0.125, 0.25, 0.5, 1.0]
    token = model.class_token
    assert groups[0].matches(token)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        make(0.02, 0.2, groups=groups), loss, steps_per_execution=STEPS, jit_compile=JIT
    )
    before = numpy([token])[0]
    history = model.fit(
        x,
        y,
        batch_size=16,
        epochs=8,
        verbose=0,
        validation_split=0.25,
        callbacks=[board(directory, images=True)],
    ).history
    check_fell(history["loss"], to=0.8)
    assert abs(numpy([token])[0] - before).max() > 1e-4
    check_weights(model, make)
    plain = ViT()
    plain.compile("sgd", loss)
    check_evaluation(model, plain, x[54:], y[54:], history["val_loss"][-1])
    check_reloaded(model, directory, x, y)
    check_log(directory, "epoch/loss", "weight_norm/class_token", "step/loss")


def pictures():
    """Return pictures with one bright corner, and the index of the corner."""
    rng = np.random.default_rng(0)
    x = 0.3 * rng.normal(size=(72, SIDE, SIDE, 1)).astype("float32")
    y = np.arange(72) % 4
    for picture, corner in zip(x, y, strict=True):
        row, column = divmod(corner, 2)
        picture[PATCH * row :, PATCH * column :][:PATCH, :PATCH] += 1
    return x, y


@keras.saving.register_keras_serializable("programs")
class ViT(keras.Model):
    """A vision transformer of two blocks, on four patches and a class token."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(SIZE)
        self.blocks = [Block(SIZE, 2) for _ in range(DEPTH)]
        self.norm = keras.layers.LayerNormalization()
        self.head = keras.layers.Dense(4)

    def build(self, shape):
        patches = (SIDE // PATCH) ** 2
        self.class_token = self.add_weight((1, 1, SIZE), "zeros", name="class_token")
        self.positions = self.add_weight(
            (1, patches + 1, SIZE), "random_normal", name="positions"
        )
        self.projection.build((None, patches, PATCH * PATCH * shape[-1]))
        for block in self.blocks:
            block.build((None, patches + 1, SIZE))
        self.norm.build((None, SIZE))
        self.head.build((None, SIZE))

    def call(self, x, training=False):
        patches = ops.image.extract_patches(x, (PATCH, PATCH))
        patches = ops.reshape(patches, (-1, (SIDE // PATCH) ** 2, patches.shape[-1]))
        x = self.projection(patches)
        token = ops.repeat(ops.cast(self.class_token, x.dtype), ops.shape(x)[0], 0)
        x = ops.concatenate([token, x], axis=1) + self.positions
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(self.norm(x[:, 0]))
