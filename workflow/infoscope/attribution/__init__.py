"""Attribution of the estimates to scales and values."""
