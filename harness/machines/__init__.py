"""The half that measures on other machines: who is there, what each is asked, and what if one is gone."""
