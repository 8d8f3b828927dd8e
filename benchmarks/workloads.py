"""Sets of weights for which the update is timed."""

from __future__ import annotations

import numpy as np

Shapes = list[tuple[int, ...]]


def resnet50() -> Shapes:
    """Return the shapes of ResNet-50's trainable weights, as Keras has them."""
    shapes = [(7, 7, 3, 64), (64,), (64,), (64,)]
    wide = 64
    for narrow, blocks in (64, 3), (128, 4), (256, 6), (512, 3):
        for block in range(blocks):
            kernels = [
                (1, 1, wide, narrow),
                (3, 3, narrow, narrow),
                (1, 1, narrow, 4 * narrow),
            ]
            if block == 0:
                kernels.append((1, 1, wide, 4 * narrow))
            for kernel in kernels:  # plus bias, gamma and beta of its normalization
                shapes += [kernel] + 3 * [kernel[-1:]]
            wide = 4 * narrow
    return [*shapes, (wide, 1000), (1000,)]


WORKLOADS: dict[str, Shapes] = {
    "big": [(1024, 1366)] * 12,  # 16.8 million parameters
    "small": [(64, 64), (64,)] * 100,  # 200 tensors, 0.42 million parameters
    "mixed": resnet50(),
    "embedding": [(1_000_000, 64)],  # with a sparse gradient of some rows
}


def touched_rows(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return a step's rows, Zipf-distributed with repeats, and their gradients."""
    rng = np.random.default_rng(1)
    at = rng.zipf(1.1, size=4096) % shape[0]
    return at, rng.normal(size=(len(at), *shape[1:])).astype("float32")
