"""The half that runs programs. It imports the standard library and the harness only."""
