"""Ten tiny programs in the style of Keras' guides and examples, one file each.

Each has `train(make, directory)`, which builds a model and data, trains with the
optimizer of `make` and checks the result; and `no_second_pass`: the error message that
optimizers with a second pass (SAM) get in this program, or "" if they work.
"""
