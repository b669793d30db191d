"""What several sweeps show together: numbers only."""
