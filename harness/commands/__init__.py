"""One file a sub-command; its docstring is the help text."""
