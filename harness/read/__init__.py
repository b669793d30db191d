"""The half that reads what was measured. It starts no process."""
