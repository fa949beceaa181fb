"""Attribution of estimates to scales, values, peaks and voids."""
