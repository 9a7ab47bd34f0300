"""The suite tries the same generated cases at every run; `make soak` tries others each time."""

from hypothesis import settings

settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")
