"""Training of the networks that ship: synthetic patients, a loss, a loop."""
