"""The config of a study, its checks, and what its jobs depend on."""
