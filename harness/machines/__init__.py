"""The half that measures on other machines."""
