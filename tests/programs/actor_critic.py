"""Actor and critic: two heads trained alternately, by `train_on_batch` in a loop."""

import keras
import numpy as np
from keras import ops

from keras_optlab import callbacks
from tests.programs.common import (
    board,
    check_evaluation,
    check_log,
    check_reloaded,
    check_weights,
)

no_second_pass = ""
STATES, ACTIONS, EPISODES = 4, 3, 40


def train(make, directory):
    model = actor_critic()
    losses = {"actor": policy_loss, "critic": "mse"}
    model.compile(make(0.05, 0.1), losses)
    monitor = callbacks.Monitor(every=5)
    told = keras.callbacks.CallbackList(
        [board(directory), monitor], model=model, epochs=EPISODES
    )
    rewards, critics = loop(model, told)
    assert np.mean(rewards[-10:]) > np.mean(rewards[:5]) + 0.15, rewards
    assert np.isfinite(critics).all()
    # An episode has a batch of 32 for one head and a batch of 20 for the other.
    assert int(model.optimizer.iterations) == EPISODES * 2
    check_weights(model, make)
    states, goals = one_hot(np.arange(STATES)), np.ones((STATES, 1), "float32")
    targets = {"actor": np.zeros((STATES, 2), "float32"), "critic": goals}
    plain = actor_critic()
    plain.compile("sgd", losses)
    check_evaluation(model, plain, states, targets)
    loaded = check_reloaded(model, directory, states)
    loaded.train_on_batch(states, targets)
    found = check_log(directory, "epoch/reward", "optimizer/weight_norm")
    assert len(found["epoch/reward"]) == EPISODES
    assert monitor.rows[-1]["step"] == EPISODES * 2


def actor_critic():
    states = keras.Input((STATES,))
    hidden = keras.layers.Dense(16, activation="tanh")(states)
    actor = keras.layers.Dense(ACTIONS, name="actor")(hidden)
    critic = keras.layers.Dense(1, name="critic")(hidden)
    return keras.Model(states, {"actor": actor, "critic": critic})


@keras.saving.register_keras_serializable("programs")
def policy_loss(taken, logits):
    """Return the policy-gradient loss; a row of `taken` is action and advantage."""
    action, advantage = ops.cast(taken[:, 0], "int32"), taken[:, 1]
    chosen = ops.sum(ops.one_hot(action, ACTIONS) * ops.log_softmax(logits), -1)
    probability = ops.softmax(logits)
    entropy = -ops.sum(probability * ops.log_softmax(logits), -1)
    return -chosen * advantage - 0.01 * entropy


def loop(model, told):
    """Return the mean reward of each episode, and the critic's losses."""
    rng = np.random.default_rng(0)
    rewards, critics = [], []
    told.on_train_begin()
    for episode in range(EPISODES):
        told.on_epoch_begin(episode)
        state = rng.integers(STATES, size=52)
        seen = model.predict_on_batch(one_hot(state))
        noise = rng.gumbel(size=(52, ACTIONS))
        action = np.argmax(seen["actor"] + noise, axis=1)
        # Rewards are sparse: one action of each state earns one, none in state 0.
        reward = ((action == state % ACTIONS) & (state > 0)).astype("float32")
        taken = np.stack([action, reward - seen["critic"][:, 0]], 1).astype("float32")
        targets = {"actor": taken, "critic": reward[:, None]}
        turns = (episode % 2, 1 - episode % 2)
        for batch, (turn, rows) in enumerate(
            zip(turns, (slice(0, 32), slice(32, 52)), strict=True)
        ):
            told.on_train_batch_begin(batch)
            size = len(state[rows])
            weights = {
                "actor": np.full(size, 1.0 - turn, "float32"),
                "critic": np.full(size, float(turn), "float32"),
            }
            logs = model.train_on_batch(
                one_hot(state[rows]),
                {k: v[rows] for k, v in targets.items()},
                sample_weight=weights,
                return_dict=True,
            )
            model.reset_metrics()
            critics += [logs["loss"]] * turn
            told.on_train_batch_end(batch, logs)
        rewards.append(float(reward.mean()))
        told.on_epoch_end(episode, {"reward": rewards[-1]})
    told.on_train_end()
    return rewards, critics


def one_hot(states):
    return np.eye(STATES, dtype="float32")[states]
