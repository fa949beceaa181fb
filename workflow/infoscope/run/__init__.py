"""How a study runs: jobs, costs, progress and devices."""
