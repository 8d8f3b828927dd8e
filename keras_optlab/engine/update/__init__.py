"""One update: from the gradients to the new values of weights and slots."""
