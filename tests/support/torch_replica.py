"""One of two processes of torch that train the same models; a program.

Arguments: the number of the process, a file by which the processes meet, a file for the
results, how gradients are averaged (`hand`, `keras`, `apart`: they are not), and the
labels of the cases.
"""

import json
import sys

import keras
import torch
from torch.nn.parallel import DistributedDataParallel

from keras_optlab.verify.comparisons import precision
from keras_optlab.verify.problems import values
from tests.support.replicas import REPLICAS, flat, network, train


class ByHand(keras.Sequential):
    """A model whose train step calls it through `DistributedDataParallel`."""

    caller = None

    def _initialize_ddp(self):
        """Do not wrap the model a second time, as Keras 3.16 would."""

    def share(self):
        """Have `train_step` average its gradients over the processes."""
        wrapped = DistributedDataParallel(self, gradient_as_bucket_view=True)
        object.__setattr__(self, "caller", wrapped)  # else it would contain itself

    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        call = self if self.caller is None else self.caller
        loss = self.compute_loss(x, y, call(x, training=True))
        self.zero_grad()
        self.optimizer.scale_loss(loss).backward()
        weights = self.trainable_weights
        with torch.no_grad():
            self.optimizer.apply([w.value.grad for w in weights], weights)
        return {"loss": loss.detach()}


def ended(how, label, rank):
    """Return the trained weights, or the error that refused the training."""
    model = network(keras.Sequential if how == "keras" else ByHand)
    if how == "hand":
        model.share()
    start = flat(values(model.trainable_variables))
    try:
        train(model, label, rank)
    except (RuntimeError, ValueError) as error:
        same = (flat(values(model.trainable_variables)) == start).all()
        return f"{'untrained' if same else 'trained'}: {error}"
    return list(flat(values(model.trainable_variables)))


def main(rank, meeting, results, how, *labels):
    rank = int(rank)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=REPLICAS
    )
    with precision("float64"):
        keras.utils.clear_session()  # which forgets the policy of float32
        found = {label: ended(how, label, rank) for label in labels}
    with open(results, "w") as file:
        json.dump(found, file)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
