"""Adam."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choice,
    Choices,
    Flag,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema, maximum, one_minus_power
from keras_optlab.engine import Optimizer


class Adam(Optimizer, family="adaptive"):
    r"""Adam: per-weight steps from bias-corrected first and second gradient moments.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\hat m_t = m_t / (1 - \beta_1^t), \qquad \hat v_t = v_t / (1 - \beta_2^t), \qquad
      \theta_t = \theta_{t-1} - \eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)$$

    Both bias corrections are folded into the step size, as in the paper's section 2:
    $\theta_t = \theta_{t-1} - \alpha_t\, m_t / (\sqrt{v_t} + \epsilon_t)$ with
    $\alpha_t = \eta \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)$.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0; the paper and torch have 1e-8.
        amsgrad: Whether to divide by the largest $v_t$ so far (Reddi, Kale and Kumar,
            2018, arXiv:1904.09237); the maximum is over $v_t$ as in Keras and torch;
            optax takes it over $\hat v_t$.
        epsilon_placement: `"hat"`, Keras' and TensorFlow's, is $\epsilon_t = \epsilon$
            in the folded form: early steps are shorter than the paper's. `"outside"`
            is Algorithm 1 as above, and torch's. `"inside"` is
            $\sqrt{\hat v_t + \epsilon}$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Kingma and Ba, 2014, arXiv:1412.6980, Algorithm 1.

    >>> as_published = Adam(epsilon=1e-8, epsilon_placement="outside")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")
    amsgrad: bool = Flag(default=False, doc="use the largest second moment so far")
    epsilon_placement: str = Choice(
        default="hat", choices=("hat", "outside", "inside"), doc="place of ε"
    )

    slots = (
        Slot("m"),
        Slot("v", non_negative=True),
        Slot("v_max", when="amsgrad", stored_last=True, non_negative=True),
    )
    paper = Paper(
        "Adam: A method for stochastic optimization",
        "Kingma and Ba",
        2014,
        "1412.6980",
    )
    tuning = Tuning(
        around(3e-3),
        others={"beta_2": Choices((0.95, 0.99, 0.999))},
        use_when="You want a first result on any network, or to repeat older work.",
        not_when="Weight decay matters: AdamW is this rule with a decay by default.",
    )
    keras_twin = "Adam"

    def prepare(self, h, t, z):
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        epsilon_t = {
            "hat": h.epsilon,
            "outside": h.epsilon * ops.sqrt(bias_2),
            "inside": h.epsilon * bias_2,
        }[h.epsilon_placement]
        alpha_t = h.learning_rate * ops.sqrt(bias_2) / bias_1
        return h.extend(alpha_t=alpha_t, epsilon_t=epsilon_t), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        s = s.next(m=m, v=v)
        if h.amsgrad:
            v = maximum(s.v_max, v)
            s = s.next(v_max=v)
        if h.epsilon_placement == "inside":
            root = ops.sqrt(v + h.epsilon_t)
        else:
            root = ops.sqrt(v) + h.epsilon_t
        return -h.alpha_t * m / root, s
