"""A training loop written by hand, with an optimizer of keras_optlab.

    KERAS_BACKEND=torch python examples/custom_loop.py

Where `fit` is too rigid, `optimizer.apply` is all that is needed. Here is the same
training in the words of TensorFlow (the default), JAX and torch. Each clips its
gradients, and meets a broken row in its data without harm.
"""

import argparse

import keras
import numpy as np
from keras import layers, ops

import keras_optlab as kol

BATCH_SIZE = 64


def loss_of(prediction, y):
    return ops.mean((prediction - y) ** 2)


def tensorflow_step(model, optimizer):
    import tensorflow as tf

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(model(x, training=True), y)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients)
        return loss

    return step


def torch_step(model, optimizer):
    import torch
    def step(x, y):
        model.zero_grad()
        loss = loss_of(model(x, training=True), y)
        loss.backward()
        gradients = [w.value.grad for w in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients)
        return loss
    return step
