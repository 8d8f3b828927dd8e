"""Bytes of an optimizer's state on each device, with and without `shard_state`.

    KERAS_BACKEND=jax python benchmarks/state_memory.py --devices 2 3 4 8

JAX divides the CPU into devices. A row has the bytes that the first device holds of
all slots: without `shard_state`, and with it after three steps; and the bytes
of the optimizer's other variables, which are whole.
"""

from __future__ import annotations

import argparse

import keras

from keras_optlab import optimizers
from keras_optlab.engine.backend.devices import have_devices
from keras_optlab.lab.problems.lookup import find


def held(optimizer):
    """Return the bytes on the first device of slots, and of all other variables."""
    slots = [v for p in optimizer.plan.parameters for v in p.slots.values()]
    stored = {id(getattr(slot, "whole", slot)) for slot in slots}  # some are padded
    size = {True: 0, False: 0}
    for v in optimizer.variables:
        size[id(v) in stored] += v.value.addressable_shards[0].data.nbytes
    return size[True], size[False]


def state(problem, name, count, share):
    """Return the bytes that the first of some devices holds."""
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
        if share:  # a step could change how the state is laid out
            model.fit(x[: 3 * rows], y[: 3 * rows], batch_size=rows, verbose=0)
        else:
            model.optimizer.build(model.trainable_variables)
        return held(model.optimizer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--optimizers", default=["adam"], **names)
    parser.add_argument("--problems", default=["mnist-mlp", "char-gpt"], **names)
    parser.add_argument("--devices", default=[2, 3, 4, 8], type=int, nargs="+")
    args = parser.parse_args()
    if keras.backend.backend() != "jax":
        parser.error("set KERAS_BACKEND=jax")
    have_devices(max(args.devices))
    for problem in args.problems:
        for name in args.optimizers:
            for count in args.devices:
                given = find(problem)
                (whole, _), (part, rest) = (
                    state(given, name, count, share) for share in (False, True)
                )
                print(
                    f"{problem:10} {name:8} {count} devices: {whole:9,} bytes whole, "
                    f"{part:9,} a device, {part / whole:.3f} = 1/n + "
                    f"{part / whole - 1 / count:.3f}; others {rest:,}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
