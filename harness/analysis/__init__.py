"""What one sweep showed: numbers only, computed from its rows; results/README.md describes the tables."""
