"""Property tests are the same in every run, and neither a slow machine nor a shell in the background fails any."""

import signal

import hypothesis

hypothesis.settings.register_profile("cocket", derandomize=True, deadline=None)
hypothesis.settings.load_profile("cocket")

# A shell starts its background jobs with Ctrl-C ignored, and children inherit that; what we start must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
