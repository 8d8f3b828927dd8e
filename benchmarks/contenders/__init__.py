"""Who competes in a step of an optimizer: a module for each backend.

Each has `steps(name, shapes)`, which returns for each contender what makes its step: a
function that, called, makes the first steps and returns another that makes the next
ones, waits for them, and returns how many it made.
"""
