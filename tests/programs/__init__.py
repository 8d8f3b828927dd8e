"""Ten tiny programs in the manner of Keras' guides and examples, one file each.

Each has `train(make, directory)`, which builds a model and data, trains with what
`make` returns and checks what came of it; and `no_second_pass`, which is empty or what
the error says where rules with a second pass cannot be used.
"""
