"""Pages of the HTML report."""
