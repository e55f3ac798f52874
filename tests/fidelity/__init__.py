"""The guest's programs compute the same wherever they run, and the seam leaves no trace."""
