"""What one sweep showed: numbers only, computed from the rows of its folder."""
