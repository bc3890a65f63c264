"""Property tests are the same in every run, and a slow machine fails none of them."""

import hypothesis

hypothesis.settings.register_profile("cocket", derandomize=True, deadline=None)
hypothesis.settings.load_profile("cocket")
