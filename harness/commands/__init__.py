"""One file a sub-command: its flags, and in a few statements what it does."""
