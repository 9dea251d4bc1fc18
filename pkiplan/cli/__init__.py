"""The command line: one file per command, each options → one workflow call → view → exit status.

`boundary` runs them and decides how errors look; `commands` lists them; `session` is what a run knows.
"""
