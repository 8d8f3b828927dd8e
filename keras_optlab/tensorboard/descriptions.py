"""What each tag shows and what is healthy, for the pages of TensorBoard.

The texts are Markdown. TensorBoard shows them behind the sign "i" of a chart.
"""

from __future__ import annotations

# By tag; a key that ends in "/" stands for all tags that begin with it.
DESCRIPTIONS = {
    "configuration/": "How this training was configured.",
    "weight_dead_units/": "Share of the layer's units whose gradient is exactly 0. Not "
    "drawn while 0. Healthy: below 0.1. Above 0.5: lower the rate, or replace `relu`.",
    "epoch/": "Loss or metric of each epoch; in the run `best` the best so far. "
    "Healthy: training and validation improve together. Validation turns back while "
    "training goes on: overfitting.",
    "hyperparameter/": "Value that a schedule or a callback changes; not drawn while "
    "constant. Healthy: follows the plan that you set.",
    "optimizer/clipped_fraction": "Share of gradient tensors that were clipped. Not "
    "drawn while 0. Healthy: 0 to 0.2, more at the start. Always 1: the norm of every "
    "update is set by the clipping; raise the limit, or lower the rate.",
    "optimizer/gradient_cosine": "Cosine between consecutive recorded gradients. "
    "Healthy: around 0 or slightly positive. Near 1: the rate can be higher. Below "
    "-0.3: the weights jump to and fro; lower the rate or add momentum.",
    "optimizer/gradient_noise_scale": "Batch size at which noise and signal of the "
    "gradient are equal (McCandlish et al., 2018). It grows in training. Batches much "
    "smaller than it: larger ones pay. Much larger: they waste work.",
    "optimizer/gradient_norm": "Norm of the gradients of all weights, before clipping. "
    "Healthy: same order of magnitude throughout. Jumps of 10 times: clip. Towards 0 "
    "while the loss is high: vanishing gradients, or dead units.",
    "optimizer/gradient_norm_clipped": "Norm after clipping and transforms. Not drawn "
    "while equal to the norm before. Healthy: equal to it at most steps.",
    "optimizer/learning_rate": "Rate of the next step. Not drawn while constant; it is "
    "then in HPARAMS. Healthy: rises in the warmup and falls to the end.",
    "optimizer/sharpness": "Curvature of the loss along the step. Healthy: below 2 / "
    "rate for SGD. Negative: the loss is concave along the step. Rising with spikes "
    "of the loss: lower the rate or lengthen the warmup.",
    "optimizer/skipped_fraction": "Share of the steps since the last point that were "
    "skipped for NaN or Inf. Not drawn while 0. Healthy: 0, or rarely more with "
    "float16.",
    "optimizer/skipped_steps": "Steps skipped so far for NaN or Inf. Not drawn while "
    "0. Healthy: 0. Rising: look for bad rows in the data, or lower the rate.",
    "optimizer/update_norm": "Norm of the update of all weights, without decoupled "
    "weight decay. Healthy: follows the learning rate.",
    "optimizer/weight_norm": "Norm of all weights. Healthy: grows slowly, then levels "
    "off. Growing to the end: add weight decay.",
    "result/": "Best value, last value, and last value on the training data, for the "
    "page HPARAMS. Healthy: last close to best, training a little better than "
    "validation. Training much better: overfitting.",
    "result/optimizer_mb": "Memory of the optimizer, in megabytes.",
    "result/seconds_to_target": "Seconds of updates until the target was reached.",
    "result/step_ms": "Time of an update, in milliseconds, without the first one.",
    "result/updates_to_target": "Updates until the target was reached.",
    "spikes/": "What `SpikeGuard` has seen and done. Healthy: no spikes, no action.",
    "step/": "Loss or metric, mean over the epoch so far; on validation data, of each "
    "validation. Healthy: falls fast, then slowly. Spikes: lower the rate, or clip.",
    "stopping/": "Figure of a criterion for stopping, or why the training stopped.",
    "throughput/examples_per_second": "Examples per second since the last point. "
    "Healthy: constant. Falling: something leaks, or the data come too slowly.",
    "throughput/memory": "Memory in use, in bytes. Healthy: constant after the first "
    "steps. Rising all the time: a leak.",
    "throughput/steps_per_second": "Steps per second since the last point. Healthy: "
    "constant. Low with an idle device: raise `steps_per_execution`, prefetch the "
    "data; `tune_execution` measures it.",
    "trial/": "Loss or metric of a trial of a study, by updates: on the validation "
    "data, in final runs on the test data. Healthy: falls fast, then slowly.",
    "update_ratio/": "Norm of the update / norm of the weight. Healthy: about 0.001, "
    "alike in all layers. Above 0.01: rate too high. Below 0.0001: too low, or the "
    "layer does not learn.",
    "weight_gradient/": "Entries of the gradient. Healthy: around 0, alike in all "
    "layers. All in one bar at 0: the layer does not learn.",
    "weight_gradient_norm/": "Norm of the weight's gradient. Healthy: within a factor "
    "of 100 across layers. Falling from the last layer to the first: vanishing "
    "gradients; add normalization or residual connections.",
    "weight_image/": "First kernel, one tile per unit. Healthy: smooth patterns. "
    "Noise: train longer or regularize. Blank: dead units.",
    "weight_norm/": "Norm of the weight. Healthy: grows slowly, then levels off. "
    "Growing to the end: add weight decay. Towards 0: less weight decay.",
    "weight_update/": "Entries of the update. Healthy: around 0, about a thousandth "
    "of those of the weight.",
    "weight_value/": "Entries of the weight. Healthy: widens slowly. A few far "
    "outside: clip the gradients, or add weight decay.",
}


def description(tag: str) -> str:
    """Return what a tag shows and what is healthy; `""` for an unknown tag.

    >>> description("weight_norm/dense/kernel")[:19]
    'Norm of the weight.'
    >>> description("weights")
    ''
    """
    exact = DESCRIPTIONS.get(tag)
    if exact is not None:
        return exact
    parts = tag.split("/")[:-1]
    prefixes = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    for prefix in prefixes:  # "optimizer/learning_rate/sgd" has its rate's text
        found = DESCRIPTIONS.get(f"{prefix}/") or DESCRIPTIONS.get(prefix)
        if found:
            return found
    return ""
