"""One module per rule, which reads inputs, calls the physics and writes outputs."""
