"""Bytes of an optimizer's state on each device, with and without `shard_state`.

    KERAS_BACKEND=jax python benchmarks/state_memory.py --devices 2 3 4 8

JAX divides the CPU into devices. Each row is read after three steps of `fit`: from the
parts of all variables of the optimizer that the first device holds.
"""

from __future__ import annotations

import argparse

import keras

from keras_optlab import optimizers
from keras_optlab.engine.backend.devices import have_devices
from keras_optlab.lab.problems.lookup import find


def held(optimizer):
    """Return the bytes of the optimizer's variables on the first device."""
    arrays = [v.value for v in optimizer.variables]
    return sum(x.addressable_shards[0].data.nbytes for x in arrays)


def state(problem, name, count, share):
    """Return the bytes that the first of some devices holds after three steps."""
    devices = keras.distribution.list_devices()[:count]
    distribution = keras.distribution.DataParallel(
        devices=devices, auto_shard_dataset=False
    )
    with distribution.scope():
        keras.utils.set_random_seed(0)
        model = problem.model()
        model.compile(optimizers.create(name, shard_state=share), problem.loss)
        x, y = problem.data().train
        rows = 2 * count
        model.fit(x[: 3 * rows], y[: 3 * rows], batch_size=rows, verbose=0)
        return held(model.optimizer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--optimizers", default=["adam"], **names)
    parser.add_argument("--problems", default=["mnist-mlp", "char-gpt"], **names)
    parser.add_argument("--devices", default=[2, 3, 4, 8], type=int, nargs="+")
    args = parser.parse_args()
    have_devices(max(args.devices))
    for problem in args.problems:
        for name in args.optimizers:
            for count in args.devices:
                whole, part = (
                    state(find(problem), name, count, share) for share in (False, True)
                )
                print(
                    f"{problem:10} {name:8} {count} devices: {whole:9,} bytes whole, "
                    f"{part:9,} a device, {part / whole:.3f} = 1/n + "
                    f"{part / whole - 1 / count:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
