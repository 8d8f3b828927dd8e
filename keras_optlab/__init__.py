"""keras-optlab: the optimizer laboratory for Keras 3.

    import keras_optlab as kol

    model.compile(kol.optimizers.AdamW(kol.schedules.OneCycle(1e-3)), loss="mse")
    model.fit(x, y, epochs=5, callbacks=[kol.callbacks.TensorBoard("runs")])

| module | what is in it |
|---|---|
| `optimizers` | over 60 optimizers and wrappers; `names`, `info`, `create` |
| `schedules` | learning rates, and other values, that change in a training |
| `callbacks` | TensorBoard, resuming, early stopping, clipping, spikes |
| `transforms` | what is done to gradients or updates, such as clipping |
| `regularizers`, `constraints` | penalties on weights, and bounds |
| `stopping` | when to stop |
| `averaging` | averages of weights, and their normalization statistics |
| `recipes` | an optimizer with its schedule for a kind of problem |
| `lab` | comparing and tuning optimizers (the extra `lab`) |
| `verify` | each optimizer against its paper and other libraries |

`Group` gives some weights their own hyperparameters. `find_rate`, `find_batch_size` and
`tune_execution` measure before a training, `diagnose` after it. `fit_full_batch` trains
by methods for small data, such as L-BFGS.
"""

from typing import TYPE_CHECKING

from keras_optlab import (
    averaging,
    callbacks,
    constraints,
    datasets,
    finders,
    optimizers,
    plotting,
    recipes,
    regularizers,
    schedules,
    stopping,
    transforms,
)
from keras_optlab._version import __version__
from keras_optlab.averaging import refresh_normalization, soup
from keras_optlab.core import Group, layerwise_decay, mup_groups, mup_initialize
from keras_optlab.core.renamed import show_public_names
from keras_optlab.diagnosis import diagnose
from keras_optlab.finders import find_batch_size, find_rate, tune_execution
from keras_optlab.full_batch import fit_full_batch
from keras_optlab.plotting import plot_history

if TYPE_CHECKING:
    from keras_optlab import lab, verify  # noqa: F401

__all__ = [
    "Group",
    "__version__",
    "averaging",
    "callbacks",
    "constraints",
    "datasets",
    "diagnose",
    "find_batch_size",
    "find_rate",
    "finders",
    "fit_full_batch",
    "layerwise_decay",
    "mup_groups",
    "mup_initialize",
    "optimizers",
    "plot_history",
    "plotting",
    "recipes",
    "refresh_normalization",
    "regularizers",
    "schedules",
    "soup",
    "stopping",
    "transforms",
    "tune_execution",
]

show_public_names(globals(), later=("lab", "verify"))
