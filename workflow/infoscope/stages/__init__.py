"""One module a rule: read the inputs, call the physics, write the output."""
