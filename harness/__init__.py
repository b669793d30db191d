"""Runs implementations of one neural network against each other and shows how their runtime scales."""

__version__ = "2.0.0"
