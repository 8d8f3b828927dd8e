"""Constraints: projections of weights that a layer applies after each update.

Each is a `keras.constraints.Constraint`, one idea a file, for `kernel_constraint=` and
the like. Those of Keras itself work with every optimizer of this package.
"""
