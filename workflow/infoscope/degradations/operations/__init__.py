"""The operations, each with its parameters."""
