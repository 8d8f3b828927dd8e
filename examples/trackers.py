"""A training that is logged to Weights & Biases, MLflow or Aim.

    python examples/trackers.py --tracker wandb

The tracker must be installed: `pip install wandb`, `pip install mlflow` or `pip install
aim`. The default, `print`, needs nothing and shows what a tracker gets. Set
KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse

import keras

import keras_optlab as kol

# A tracker has one method, `log(values, step)`. `values` is a dict of numbers by tag.


def wandb_tracker(hparams):
    """Return a run of Weights & Biases: its `log(data, step)` is the method."""
    import wandb

    return wandb.init(project="keras-optlab", config=hparams)


class MLflowTracker:
    """Logs to the active run of MLflow."""

    def __init__(self, hparams):
        import mlflow

        self.mlflow = mlflow
        mlflow.log_params(hparams)

    def log(self, values, step):
        """Log numbers by tag."""
        self.mlflow.log_metrics(values, step=step)


class AimTracker:
    """Logs to a new run of Aim, which takes one value at a time."""

    def __init__(self, hparams):
        import aim

        self.run = aim.Run(experiment="keras-optlab")
        self.run["hparams"] = hparams

    def log(self, values, step):
        """Log numbers by tag."""
        for name, value in values.items():
            self.run.track(value, name=name, step=step)


class PrintTracker:
    """Prints the metrics."""

    def __init__(self, hparams):
        print(hparams)

    def log(self, values, step):
        """Print what begins with `epoch/` or `step/`."""
        metrics = {
            k: f"{v:.3f}" for k, v in values.items() if k[:4] in ("epoc", "step")
        }
        print(step, metrics)


TRACKERS = {
    "wandb": wandb_tracker,
    "mlflow": MLflowTracker,
    "aim": AimTracker,
    "print": PrintTracker,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracker", choices=TRACKERS, default="print")
    parser.add_argument("--epochs", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=60_000, help="of MNIST to train on")
    args = parser.parse_args()

    (x, y), test = kol.datasets.mnist()
    hparams = {"learning_rate": 1e-3, "batch_size": 128}
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            dense(128, activation="relu"),
            dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = kol.optimizers.Adam(hparams["learning_rate"])
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(
        x[: args.rows],
        y[: args.rows],
        batch_size=hparams["batch_size"],
        epochs=args.epochs,
        validation_data=test,
        callbacks=[kol.callbacks.Track(TRACKERS[args.tracker](hparams), every=50)],
        verbose=0,
    )


if __name__ == "__main__":
    main()
