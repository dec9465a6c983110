"""Reverts: known-good versions to return to, and what the revert of a promotion changes in each cell."""
