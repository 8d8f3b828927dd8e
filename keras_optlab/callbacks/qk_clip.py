"""Clipping of attention logits during `fit`, through queries and keys."""

from __future__ import annotations

from typing import Any

from keras_optlab.callbacks.base.building import build_for_fit
from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.core.arguments import number
from keras_optlab.engine import fit_arguments
from keras_optlab.engine.model.logit_clipping import LogitClipping


class QKClip(Callback):
    r"""QK-Clip: weights of queries and keys scaled so that attention logits stay small.

    For each head $h$ of each attention layer, over the logits before softmax of all
    batches since the last update,

    $$S^h_{\max} = \max_{i, j} \frac{q_i^\top k_j}{\sqrt{d}}, \qquad
      \gamma_h = \min\left(1, \frac{\tau}{S^h_{\max}}\right)$$

    After the update, kernel and bias of the head's queries and those of its keys are
    multiplied by $\sqrt{\gamma_h}$ each. Masked logits do not count. Where the heads
    of several queries share one of the keys (`GroupQueryAttention`), the queries are
    multiplied by $\gamma_h$ and the keys stay: each head gets its own factor exactly,
    and a head below $\tau$ does not change.

    With Muon this is MuonClip. It works with every Keras optimizer, and changes nothing
    while no logit exceeds $\tau$. The optimizer's state is not scaled. The logits are
    computed beside the layer's own, as an array of batch, heads, queries and keys,
    which takes memory at long contexts. With optimizers that average weights, such as
    `Lookahead`, clipped weights are averaged with earlier ones. Saved models do not
    contain the callback: pass it to each `fit`.

    It stabilizes trainings whose logits grow into the hundreds, as those of large
    models with Muon and no normalization of queries and keys do. Small models
    seldom get there.

    Args:
        tau: $\tau$ > 0, the largest logit that is not clipped. The paper trains with
            100, and found no effect of the clipping on the loss.

    Raises:
        TypeError: if `tau` is not a number.
        ValueError: if `tau` is out of range; in `fit`, if no attention layer is
            trained, or one overrides `_compute_attention`, has flash attention, LoRA,
            or only its queries or keys frozen; if the train step does not call one.

    Source:
        Kimi Team, 2025, arXiv:2507.20534, Algorithm 1. There the
        attention is latent (MLA): of the rotary parts, which have one key for all
        heads, the queries take $\gamma_h$ and the key stays, as here for shared keys.
        `pytorch_optimizer.MuonClip` has the same factors.

    Example:
        >>> import keras, numpy as np
        >>> inputs = keras.Input((4, 8))
        >>> attention = keras.layers.MultiHeadAttention(2, 4)
        >>> model = keras.Model(inputs, attention(inputs, inputs))
        >>> model.compile("sgd", "mse")
        >>> x = 9 * np.ones((2, 4, 8))
        >>> history = model.fit(x, x, verbose=0, callbacks=[QKClip(tau=100.0)])
    """

    hints = {"threshold": "Write `tau`.", "qk_clip_threshold": "Write `tau`."}

    def __init__(self, tau: float = 100.0) -> None:
        super().__init__()
        self.tau = number("tau", tau, "> 0", "largest logit that is not clipped")
        self._clipping: LogitClipping | None = None

    def drives(self) -> set[tuple[int, str]]:
        """Return what a second callback of the same `fit` must not clip."""
        return {(0, "attention logits")}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find the attention layers, and extend the train step."""
        super().on_train_begin(logs)
        model: Any = self.model
        trains = fit_arguments() and "optimizer" not in (self.params or {})
        if not trains or model.optimizer is None:
            raise ValueError(
                "QKClip clips after the train step of `fit` and of the optimizer of "
                f"`compile`. Received: {model!r} trained in another way. Train it by "
                "`fit`, or leave the callback out."
            )
        build_for_fit(model)
        clipping = LogitClipping(model, self.tau, "QKClip")
        clipping.start()
        self._clipping = clipping

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Restore the layers and the train step."""
        self._end()

    def on_train_interrupted(self) -> None:
        """Restore the layers and the train step."""
        self._end()

    def _end(self) -> None:
        if self._clipping is not None:
            self._clipping.stop()
        self._clipping = None
